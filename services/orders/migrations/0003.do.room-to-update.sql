-- Each row is written twice: pending, then longer at its end. A page that is a third full has room for
-- both of all its rows, so that the second stays in it and touches no index (HOT).
alter table orders set (fillfactor = 36);
