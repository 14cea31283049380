-- The two roles of raito. Neither is a superuser.
CREATE ROLE raito LOGIN CREATEROLE;
CREATE ROLE raito_plan LOGIN;
GRANT CONNECT ON DATABASE shop TO raito, raito_plan;
-- Rights on an object are its owner's to give. One line for each role that owns the database, or something in it.
GRANT shop_owner TO raito;
