-- A category is looked at by price or by name as often as by what is new.
create index products_category_price on products (category, price_amount, id) where status = 'active';
create index products_category_name on products (category, name, id) where status = 'active';
