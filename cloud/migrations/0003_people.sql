-- Who holds which role, delegation, grant categories, and what lists are ordered and found by.

-- A global role has no resource: kind and id are empty. The same id may occur in two kinds.
CREATE TABLE role_assignments (
    id TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    -- dataSource, identityStore, dataObject or accessProvider
    resource_kind TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    -- user or group
    assignee_kind TEXT NOT NULL,
    assignee_id TEXT NOT NULL
);
CREATE UNIQUE INDEX role_assignments_by_resource
    ON role_assignments (resource_kind, resource_id, role, assignee_id);
CREATE INDEX role_assignments_by_assignee ON role_assignments (assignee_id, id);
CREATE INDEX role_assignments_by_role ON role_assignments (role, id);
INSERT INTO role_assignments (id, role, resource_kind, resource_id, assignee_kind, assignee_id)
    SELECT user_id || '.' || role, CASE WHEN role = 'AccessManagerRole' THEN 'CreatorRole' ELSE role END, '', '',
        'user', user_id
    FROM global_roles;
DROP TABLE global_roles;

-- Who stands in for a user, and when; without an end until it is taken back.
ALTER TABLE users ADD COLUMN delegate_to TEXT;
ALTER TABLE users ADD COLUMN delegation_start BIGINT;
ALTER TABLE users ADD COLUMN delegation_end BIGINT;
ALTER TABLE users ADD COLUMN slack_user_id TEXT;
CREATE INDEX users_by_delegate ON users (delegate_to);
CREATE INDEX users_by_name ON users (name, id);
CREATE INDEX users_who_sign_in ON users (is_raito_user, id);

-- Whether access to objects may be requested, and to which types (JSON; empty: all).
ALTER TABLE data_sources ADD COLUMN can_request_access BIGINT NOT NULL DEFAULT 0;
ALTER TABLE data_sources ADD COLUMN can_request_types TEXT NOT NULL DEFAULT '[]';

CREATE INDEX groups_in_order ON groups (name, id);
CREATE INDEX groups_in_display_order ON groups (display_name, id);

-- Lists of objects are read in the order of an index of one data source, see src/graphql/paging.rs.
CREATE INDEX data_objects_in_parent ON data_objects (data_source_id, parent_external_id, name);
DROP INDEX data_objects_by_parent;
CREATE INDEX data_objects_by_name ON data_objects (data_source_id, name);
CREATE INDEX data_objects_by_type ON data_objects (data_source_id, type, id);

CREATE TABLE grant_categories (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    icon TEXT NOT NULL,
    is_system BIGINT NOT NULL,
    is_default BIGINT NOT NULL,
    -- Everything that can be set, as JSON (see src/grant_categories.rs).
    settings TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX grant_categories_by_name ON grant_categories (name);
