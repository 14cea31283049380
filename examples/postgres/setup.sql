-- The role that Raito logs in with, with no more rights than it needs. Run it as a superuser, once:
--
--   psql --host=db.example.com --dbname=sales --set=password="$PG_PASSWORD" --file=setup.sql
--
-- The script can be run again: what stands already stays.
\set ON_ERROR_STOP on

SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'raito') AS missing \gset
\if :missing
CREATE ROLE raito LOGIN PASSWORD :'password';
\endif

-- To read: the catalogues are open to everybody who can connect.
SELECT format('GRANT CONNECT ON DATABASE %I TO raito WITH GRANT OPTION', current_database()) \gexec

-- To read usage: the counters of all users. The server must load the library too (in postgresql.conf:
-- shared_preload_libraries = 'pg_stat_statements'); without it everything else works.
GRANT pg_read_all_stats TO raito;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;

-- To apply access controls: make roles, and give rights on objects. Leave these two out, and set `skip-data-access-sync`
-- or lock everything in `raito.yml`, for a target that is only read.
ALTER ROLE raito CREATEROLE;

-- Rights on an object are its owner's to give, so `raito` becomes a member of each role that owns something in the schemas at
-- hand. Superusers are left out: what they own, Raito cannot give away. Change its owner first.
SELECT DISTINCT format('GRANT %I TO raito', o.rolname)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_roles o ON o.oid IN (c.relowner, n.nspowner)
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND o.rolname !~ '^pg_' AND o.rolname <> 'raito' AND NOT o.rolsuper
\gexec
