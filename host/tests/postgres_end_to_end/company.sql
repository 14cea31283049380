-- The database `company`: what somebody finds in a server that has grown for years. Loaded by its superuser after
-- `people.sql`.

CREATE EXTENSION pg_stat_statements;
COMMENT ON DATABASE company IS 'Everything the company sells';

CREATE SCHEMA sales AUTHORIZATION owner_role;
CREATE SCHEMA reporting AUTHORIZATION owner_role;
CREATE SCHEMA "Odd.Schema ""x""" AUTHORIZATION owner_role;
CREATE SCHEMA staff;
COMMENT ON SCHEMA sales IS 'Orders, customers and what they owe — "live"';

SET ROLE owner_role;
CREATE TABLE sales.customers (id int PRIMARY KEY, name text NOT NULL, email varchar(120), region text);
CREATE TABLE sales.orders (
  id int PRIMARY KEY,
  customer int REFERENCES sales.customers,
  region text,
  amount numeric(10, 2),
  placed timestamp with time zone[],
  gone int
);
ALTER TABLE sales.orders DROP COLUMN gone;
CREATE TABLE sales.invoices (id int, total numeric, iban text);
CREATE TABLE sales.events (at date, what text) PARTITION BY RANGE (at);
CREATE TABLE sales.events_2024 PARTITION OF sales.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE VIEW reporting.big_orders AS SELECT id, amount FROM sales.orders WHERE amount > 100;
CREATE MATERIALIZED VIEW reporting.totals AS
  SELECT region, sum(amount) AS total FROM sales.orders GROUP BY region WITH NO DATA;
CREATE SEQUENCE sales.order_numbers;
CREATE FUNCTION sales.total(of int, currency text DEFAULT 'EUR') RETURNS numeric
  LANGUAGE sql AS 'SELECT sum(amount) FROM sales.orders WHERE customer = $1';
CREATE FUNCTION sales.total(numeric[]) RETURNS numeric LANGUAGE sql AS 'SELECT $1[1]';
CREATE PROCEDURE sales.tidy(INOUT days int) LANGUAGE sql AS 'SELECT 1';
CREATE TABLE "Odd.Schema ""x"""."We""ird (Table)" ("Ünï.Cöl" int, " spaced " text);
COMMENT ON TABLE sales.orders IS 'One row for each order';
COMMENT ON COLUMN sales.customers.email IS 'Personal data: it''s the address they gave';
COMMENT ON VIEW reporting.big_orders IS 'Orders of more than 100';
COMMENT ON MATERIALIZED VIEW reporting.totals IS 'Refreshed at night';
COMMENT ON SEQUENCE sales.order_numbers IS 'Never reset';
COMMENT ON FUNCTION sales.total(int, text) IS 'What a customer has ordered';
RESET ROLE;

CREATE TABLE staff.salaries (person text, amount int);
CREATE FOREIGN DATA WRAPPER elsewhere;
CREATE SERVER warehouse FOREIGN DATA WRAPPER elsewhere;
CREATE FOREIGN TABLE staff.archive (id int) SERVER warehouse;

-- To roles.
GRANT USAGE ON SCHEMA sales, reporting TO reader;
GRANT SELECT ON reporting.big_orders TO reader;
GRANT SELECT (id, region), UPDATE (region) ON sales.customers TO analyst;
GRANT SELECT, INSERT ON sales.orders TO analyst;
GRANT USAGE ON SEQUENCE sales.order_numbers TO analyst;
GRANT EXECUTE ON PROCEDURE sales.tidy(int) TO lead;
GRANT SELECT ON reporting.totals TO lead WITH GRANT OPTION;
GRANT ALL ON "Odd.Schema ""x"""."We""ird (Table)" TO "We""ird Role.x";
GRANT TEMPORARY ON DATABASE company TO lead;
-- To users directly, and to everybody.
GRANT USAGE ON SCHEMA sales, staff TO ada;
GRANT SELECT ON staff.salaries TO ada;
GRANT DELETE ON sales.orders TO "carol@example.com";
GRANT SELECT (id) ON sales.invoices TO "carol@example.com";
GRANT USAGE ON SCHEMA reporting TO PUBLIC;
REVOKE EXECUTE ON FUNCTION sales.total(numeric[]) FROM PUBLIC;
-- On what is yet to come.
ALTER DEFAULT PRIVILEGES FOR ROLE owner_role IN SCHEMA sales GRANT SELECT ON TABLES TO reader;
ALTER DEFAULT PRIVILEGES FOR ROLE owner_role GRANT EXECUTE ON FUNCTIONS TO ada;
ALTER DEFAULT PRIVILEGES FOR ROLE owner_role IN SCHEMA reporting GRANT USAGE, SELECT ON SEQUENCES TO PUBLIC;

-- Row security by hand.
ALTER TABLE sales.customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY eu_only ON sales.customers FOR SELECT TO analyst, "carol@example.com" USING (region = 'EU');
CREATE POLICY "no foreign ""names""" ON sales.customers AS RESTRICTIVE FOR INSERT WITH CHECK (length(name) > 1);
CREATE POLICY asleep ON sales.invoices USING (true);

INSERT INTO sales.customers VALUES (1, 'Ann', 'ann@example.com', 'EU'), (2, 'Bo', NULL, 'US');
INSERT INTO sales.orders (id, customer, region, amount) VALUES
  (1, 1, 'north', 50), (2, 1, 'south', 150), (3, 2, 'north', 250);
INSERT INTO sales.invoices VALUES (1, 50, 'XX00'), (2, 150, 'XX01');
INSERT INTO staff.salaries VALUES ('ada', 1);

-- What Raito logs in with, as `examples/postgres/setup.sql` makes it.
GRANT CONNECT ON DATABASE company TO raito WITH GRANT OPTION;
GRANT owner_role TO raito;
