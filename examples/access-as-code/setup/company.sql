-- A small company to try on, with a role `reporting` that somebody made by hand.
CREATE ROLE shop_owner;
CREATE ROLE ann LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE carol LOGIN;
CREATE ROLE dave LOGIN;
CREATE ROLE reporting;
GRANT reporting TO carol;
CREATE DATABASE shop OWNER shop_owner;
\connect shop
CREATE SCHEMA sales AUTHORIZATION shop_owner
  CREATE TABLE customers (id integer PRIMARY KEY, name text, email text)
  CREATE TABLE orders (id integer PRIMARY KEY, customer integer REFERENCES customers, amount numeric);
CREATE SCHEMA finance AUTHORIZATION shop_owner
  CREATE TABLE invoices (id integer PRIMARY KEY, customer integer, amount numeric);
GRANT USAGE ON SCHEMA sales TO reporting;
GRANT SELECT ON sales.orders TO reporting;
