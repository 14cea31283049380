-- The database `archive`: the target does not name it, so nothing of it is read or touched.
CREATE TABLE old_orders (id int);
GRANT SELECT ON old_orders TO reader;
GRANT INSERT (id) ON old_orders TO ada;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO analyst;
ALTER TABLE old_orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON old_orders USING (true);
CREATE EXTENSION pg_stat_statements;
