-- A client may choose the id of an adjustment; what orders move, twice each, bears ids made here.
create unique index movements_adjustment_id on movements (id) where order_id is null;
alter table movements drop constraint movements_id_key;
