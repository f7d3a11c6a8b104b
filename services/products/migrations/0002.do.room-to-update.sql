-- Each row is written twice: claimed, then three times as long with its answer. With room for both of
-- all its rows a page keeps the second, which then touches no index (HOT).
alter table reservations set (fillfactor = 25);
