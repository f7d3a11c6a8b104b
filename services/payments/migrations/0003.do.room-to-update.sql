-- Each row is written twice, the second time longer: with room for both in one page the second touches
-- no index (HOT).
alter table payments set (fillfactor = 45);
