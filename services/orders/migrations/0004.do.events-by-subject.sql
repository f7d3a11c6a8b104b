-- An order's life is told from the log by its subject. The few events of one order are sorted by their
-- numbers when they are found: with the numbers the index would be twice as large. Parts of the log that
-- are made later have it too.
create index events_subject on events (subject);
