-- Roles of the whole server: users, and three levels of roles that lead to one another.
CREATE ROLE ada LOGIN PASSWORD 'ada-secret';
CREATE ROLE "carol@example.com" LOGIN;
CREATE ROLE dora LOGIN;
CREATE ROLE erik LOGIN PASSWORD 'erik-secret';
CREATE ROLE finn LOGIN PASSWORD 'finn-secret';
CREATE ROLE "Björn ""B"" O'Neil" LOGIN;
CREATE ROLE svc_report LOGIN VALID UNTIL '2001-01-01 00:00:00+00';
CREATE ROLE shared_account LOGIN;

CREATE ROLE reader;
CREATE ROLE analyst;
CREATE ROLE lead;
CREATE ROLE owner_role;
CREATE ROLE nobody_has_it;
CREATE ROLE "We""ird Role.x";
CREATE ROLE almighty SUPERUSER NOLOGIN;
COMMENT ON ROLE analyst IS 'made by hand';

GRANT reader TO analyst;
GRANT analyst TO lead;
GRANT lead TO ada;
GRANT reader TO "carol@example.com";
-- A user that is used like a role.
GRANT analyst TO shared_account;
GRANT shared_account TO dora;
GRANT pg_read_all_data TO svc_report;

CREATE ROLE raito LOGIN CREATEROLE PASSWORD 'raito-secret';
GRANT pg_read_all_stats TO raito;
