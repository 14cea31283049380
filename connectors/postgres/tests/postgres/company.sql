-- A small company: two databases, nested roles, every kind of object and of grant, and names that need care.
CREATE ROLE ann LOGIN PASSWORD 'ann';
CREATE ROLE "bob@example.com" LOGIN;
CREATE ROLE svc_etl LOGIN VALID UNTIL '2001-01-01 00:00:00+00';
CREATE ROLE lead LOGIN;
CREATE ROLE reader;
CREATE ROLE analyst;
CREATE ROLE "We""ird Role.x";
CREATE ROLE owner_role;
CREATE ROLE almighty SUPERUSER NOLOGIN;
COMMENT ON ROLE analyst IS 'made by hand';
GRANT reader TO analyst;
GRANT analyst TO lead;
GRANT lead TO ann;
GRANT reader TO "bob@example.com";
GRANT pg_read_all_stats TO svc_etl;

CREATE SCHEMA sales AUTHORIZATION owner_role;
CREATE SCHEMA "Odd.Schema";
CREATE SCHEMA scratch;
COMMENT ON SCHEMA sales IS 'Orders and customers';
CREATE TABLE sales.orders (id int PRIMARY KEY, region text, amount numeric(10,2), card text);
COMMENT ON TABLE sales.orders IS 'One row per order';
COMMENT ON COLUMN sales.orders.card IS 'Card number';
ALTER TABLE sales.orders OWNER TO owner_role;
ALTER TABLE sales.orders ADD COLUMN gone int;
ALTER TABLE sales.orders DROP COLUMN gone;
CREATE VIEW sales.big_orders AS SELECT * FROM sales.orders WHERE amount > 100;
CREATE MATERIALIZED VIEW sales.totals AS SELECT region, sum(amount) AS total FROM sales.orders GROUP BY region;
CREATE TABLE sales.events (at date, what text) PARTITION BY RANGE (at);
CREATE TABLE sales.events_2024 PARTITION OF sales.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE SEQUENCE sales.numbers;
CREATE FUNCTION sales.total(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE sales.tidy(INOUT x int) LANGUAGE sql AS 'SELECT 1';
CREATE TABLE "Odd.Schema"."We""ird (Table)" ("Ünï.Col" int);
CREATE TABLE scratch.tmp (x int);

GRANT CONNECT ON DATABASE postgres TO reader;
GRANT USAGE ON SCHEMA sales TO reader;
GRANT SELECT ON sales.big_orders TO reader;
GRANT SELECT (id, region), UPDATE (region) ON sales.orders TO analyst;
GRANT SELECT, INSERT ON "Odd.Schema"."We""ird (Table)" TO "We""ird Role.x";
GRANT USAGE ON SEQUENCE sales.numbers TO analyst;
GRANT EXECUTE ON PROCEDURE sales.tidy(int) TO analyst;
GRANT DELETE ON sales.orders TO "bob@example.com";
ALTER DEFAULT PRIVILEGES FOR ROLE owner_role IN SCHEMA sales GRANT SELECT ON TABLES TO reader;
ALTER DEFAULT PRIVILEGES FOR ROLE owner_role GRANT EXECUTE ON FUNCTIONS TO ann;

ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY only_eu ON sales.orders FOR SELECT TO analyst USING (region = 'EU');
CREATE POLICY no_insert ON sales.orders FOR INSERT TO PUBLIC WITH CHECK (amount > 0);
CREATE POLICY asleep ON sales.events USING (true);

CREATE DATABASE hr;
CREATE EXTENSION pg_stat_statements SCHEMA public;
