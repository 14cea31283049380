-- One script for SQLite and PostgreSQL: TEXT, BIGINT and DOUBLE PRECISION only.
-- Moments are epoch milliseconds, Booleans are 0 and 1, lists and free objects are JSON text.
-- Every id is 21 URL-safe characters and grows with time (see src/ids.rs), except ids that a caller chose.
-- Bulk tables carry no foreign keys: an import checks references as a set and reports them as warnings.

CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- People and services --------------------------------------------------------------------------------------

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT,
    -- The e-mail address in lower case: what accounts and sign-in are matched by.
    email_key TEXT UNIQUE,
    user_type TEXT NOT NULL,
    is_raito_user BIGINT NOT NULL,
    password_hash TEXT,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);

CREATE TABLE global_roles (
    user_id TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (user_id, role)
);

CREATE TABLE tokens (
    -- SHA-256 of the token in hexadecimal; the token itself is never stored.
    hash TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    user_id TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX tokens_by_expiry ON tokens (expires_at);

-- Sources and stores ---------------------------------------------------------------------------------------

CREATE TABLE identity_stores (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    description TEXT NOT NULL,
    icon TEXT NOT NULL,
    native BIGINT NOT NULL,
    master BIGINT NOT NULL,
    can_be_linked BIGINT NOT NULL,
    can_be_master BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);

CREATE TABLE data_sources (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    description TEXT NOT NULL,
    sync_method TEXT NOT NULL,
    parent_id TEXT,
    -- The metadata that the connector announced, as sent (JSON); null before the first synchronisation.
    metadata TEXT,
    usage_first_used BIGINT,
    usage_last_used BIGINT,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);

-- The native store and every linked one.
CREATE TABLE data_source_identity_stores (
    data_source_id TEXT NOT NULL,
    identity_store_id TEXT NOT NULL,
    PRIMARY KEY (data_source_id, identity_store_id)
);
CREATE INDEX data_source_identity_stores_by_store ON data_source_identity_stores (identity_store_id);

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    identity_store_id TEXT NOT NULL,
    external_id TEXT NOT NULL,
    name TEXT NOT NULL,
    user_name TEXT NOT NULL,
    email TEXT NOT NULL,
    is_machine BIGINT,
    user_id TEXT NOT NULL,
    content_hash BIGINT NOT NULL
);
CREATE UNIQUE INDEX accounts_by_external_id ON accounts (identity_store_id, external_id);
CREATE INDEX accounts_by_user ON accounts (user_id);
CREATE INDEX accounts_by_user_name ON accounts (identity_store_id, user_name);

CREATE TABLE groups (
    id TEXT NOT NULL PRIMARY KEY,
    identity_store_id TEXT NOT NULL,
    external_id TEXT NOT NULL,
    name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL,
    deleted BIGINT NOT NULL,
    content_hash BIGINT NOT NULL
);
CREATE UNIQUE INDEX groups_by_external_id ON groups (identity_store_id, external_id);
CREATE INDEX groups_by_name ON groups (identity_store_id, name);

-- Direct memberships by external ids, so that a file may name a group before the group is known.
CREATE TABLE group_members (
    identity_store_id TEXT NOT NULL,
    -- 'account' or 'group'
    member_kind TEXT NOT NULL,
    member_external_id TEXT NOT NULL,
    group_external_id TEXT NOT NULL,
    PRIMARY KEY (identity_store_id, member_kind, member_external_id, group_external_id)
);
CREATE INDEX group_members_by_group ON group_members (identity_store_id, group_external_id);

CREATE TABLE data_objects (
    id TEXT NOT NULL PRIMARY KEY,
    data_source_id TEXT NOT NULL,
    external_id TEXT NOT NULL,
    parent_external_id TEXT NOT NULL,
    name TEXT NOT NULL,
    full_name TEXT NOT NULL,
    type TEXT NOT NULL,
    description TEXT NOT NULL,
    data_type TEXT,
    share_provider_identifier TEXT,
    share_identifier TEXT,
    deleted BIGINT NOT NULL,
    content_hash BIGINT NOT NULL
);
CREATE UNIQUE INDEX data_objects_by_external_id ON data_objects (data_source_id, external_id);
CREATE INDEX data_objects_by_parent ON data_objects (data_source_id, parent_external_id);
CREATE INDEX data_objects_by_full_name ON data_objects (data_source_id, full_name);

-- Tags of data objects, accounts, groups and access providers; `object_id` is the id of one of those.
CREATE TABLE tags (
    object_id TEXT NOT NULL,
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (object_id, source, key, value)
);

-- Access controls ------------------------------------------------------------------------------------------

CREATE TABLE access_providers (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    naming_hint TEXT NOT NULL,
    description TEXT NOT NULL,
    -- Grant, Deny, Mask, Filtered, Purpose, Share or Promise
    action TEXT NOT NULL,
    -- Active, Inactive or Deleted
    state TEXT NOT NULL,
    -- 1: managed in the data source and only imported; 0: managed here and exported.
    external BIGINT NOT NULL,
    not_internalizable BIGINT NOT NULL,
    complete BIGINT,
    policy_rule TEXT,
    filter_criteria TEXT,
    common_what_data_object TEXT,
    source TEXT,
    who_known BIGINT NOT NULL,
    -- Raised by every change; the export is out of date while synced_version is lower.
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);

-- One row per data source that an access provider lives in.
CREATE TABLE access_provider_sync (
    access_provider_id TEXT NOT NULL,
    data_source_id TEXT NOT NULL,
    type TEXT,
    external_id TEXT,
    actual_name TEXT,
    sync_status TEXT NOT NULL,
    errors TEXT,
    content_hash BIGINT,
    synced_version BIGINT NOT NULL,
    exported_version BIGINT NOT NULL,
    -- Who and what of the last export, and of the last export with a feedback without errors (JSON).
    exported TEXT,
    applied TEXT,
    PRIMARY KEY (access_provider_id, data_source_id)
);
CREATE UNIQUE INDEX access_provider_sync_by_external_id ON access_provider_sync (data_source_id, external_id);
CREATE INDEX access_provider_sync_by_actual_name ON access_provider_sync (data_source_id, actual_name);

CREATE TABLE access_provider_who (
    access_provider_id TEXT NOT NULL,
    -- user, group, accessProvider: `item` is an id; accountName, groupName, externalId, recipient: the
    -- source's own word, kept where no such account, group or access provider is known.
    kind TEXT NOT NULL,
    item TEXT NOT NULL,
    -- WhoGrant or WhoPromise
    type TEXT NOT NULL,
    expires_at BIGINT,
    promise_duration BIGINT,
    PRIMARY KEY (access_provider_id, kind, item, type)
);
CREATE INDEX access_provider_who_by_item ON access_provider_who (item);

CREATE TABLE access_provider_what (
    access_provider_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    data_source_id TEXT NOT NULL,
    full_name TEXT NOT NULL,
    type TEXT NOT NULL,
    permissions TEXT NOT NULL,
    global_permissions TEXT NOT NULL,
    PRIMARY KEY (access_provider_id, position)
);
CREATE INDEX access_provider_what_by_name ON access_provider_what (data_source_id, full_name);

CREATE TABLE access_provider_locks (
    access_provider_id TEXT NOT NULL,
    lock_key TEXT NOT NULL,
    lock_type TEXT NOT NULL,
    reason TEXT,
    PRIMARY KEY (access_provider_id, lock_key)
);

-- Usage ----------------------------------------------------------------------------------------------------

CREATE TABLE usage_statements (
    id TEXT NOT NULL PRIMARY KEY,
    data_source_id TEXT NOT NULL,
    external_id TEXT NOT NULL,
    user_name TEXT NOT NULL,
    user_id TEXT,
    role TEXT NOT NULL,
    success BIGINT NOT NULL,
    status TEXT NOT NULL,
    query TEXT NOT NULL,
    start_time BIGINT,
    end_time BIGINT,
    bytes BIGINT,
    row_count BIGINT,
    credits DOUBLE PRECISION,
    error TEXT NOT NULL,
    -- The data objects used, as in the file (JSON).
    accessed TEXT NOT NULL
);
CREATE UNIQUE INDEX usage_statements_by_external_id ON usage_statements (data_source_id, external_id);

-- How often a user used a permission on a data object.
CREATE TABLE usage_edges (
    data_source_id TEXT NOT NULL,
    user_name TEXT NOT NULL,
    full_name TEXT NOT NULL,
    type TEXT NOT NULL,
    permission TEXT NOT NULL,
    statements BIGINT NOT NULL,
    last_used BIGINT,
    PRIMARY KEY (data_source_id, full_name, type, user_name, permission)
);

-- Jobs -----------------------------------------------------------------------------------------------------

CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    data_source_id TEXT,
    identity_store_id TEXT,
    status TEXT NOT NULL,
    errors TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX jobs_by_data_source ON jobs (data_source_id, id);

CREATE TABLE tasks (
    job_id TEXT NOT NULL,
    job_type TEXT NOT NULL,
    status TEXT NOT NULL,
    errors TEXT NOT NULL,
    warnings TEXT NOT NULL,
    result TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (job_id, job_type)
);

CREATE TABLE subtasks (
    job_id TEXT NOT NULL,
    job_type TEXT NOT NULL,
    subtask_id TEXT NOT NULL,
    status TEXT NOT NULL,
    errors TEXT NOT NULL,
    -- The outcome, a tagged object (see src/jobs/outcome.rs); null until completed.
    outcome TEXT,
    received_date BIGINT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (job_id, job_type, subtask_id)
);

-- Everything that was reported about a job, its tasks and their subtasks, in order of arrival.
CREATE TABLE job_events (
    id TEXT NOT NULL PRIMARY KEY,
    job_id TEXT NOT NULL,
    job_type TEXT,
    subtask_id TEXT,
    status TEXT NOT NULL,
    event_time BIGINT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX job_events_by_job ON job_events (job_id, id);

CREATE TABLE job_logs (
    job_id TEXT NOT NULL,
    job_type TEXT NOT NULL,
    file_key TEXT NOT NULL,
    PRIMARY KEY (job_id, job_type, file_key)
);

-- Work for the server. A row stays until its subtask has ended: what a crash left claimed is taken again.
CREATE TABLE work_queue (
    id TEXT NOT NULL PRIMARY KEY,
    job_id TEXT NOT NULL,
    job_type TEXT NOT NULL,
    subtask_id TEXT NOT NULL,
    work TEXT NOT NULL,
    claimed_by TEXT,
    attempts BIGINT NOT NULL
);

-- Files ----------------------------------------------------------------------------------------------------

CREATE TABLE uploads (
    file_key TEXT NOT NULL PRIMARY KEY,
    -- SHA-256 of the secret in the signed address.
    secret_hash TEXT NOT NULL,
    content_length BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- open, used or stored
    state TEXT NOT NULL
);

CREATE TABLE downloads (
    secret_hash TEXT NOT NULL PRIMARY KEY,
    file_key TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
