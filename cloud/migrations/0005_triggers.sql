-- Triggers: the addresses under which command lines listen, who listens, and what they are still to be told.

-- Addresses that were handed out. Each is for one user, and lives as long as it is used.
CREATE TABLE trigger_addresses (
    -- SHA-256 of the unguessable part of the address in hexadecimal.
    hash TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX trigger_addresses_by_expiry ON trigger_addresses (expires_at);

-- Open connections of all servers on this database. A server that holds some touches their rows; rows that nobody
-- touches belong to a server that has died.
CREATE TABLE trigger_listeners (
    connection_id TEXT NOT NULL,
    -- One row for each data source that the connection listens for, and one with an empty text for itself.
    data_source_id TEXT NOT NULL,
    server_id TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, data_source_id)
);
CREATE INDEX trigger_listeners_by_data_source ON trigger_listeners (data_source_id, seen_at);
CREATE INDEX trigger_listeners_by_server ON trigger_listeners (server_id);

-- Data sources whose changes (table access_changes) are being delivered right now, so that one server does it.
CREATE TABLE trigger_claims (
    data_source_id TEXT NOT NULL PRIMARY KEY,
    claimed_by TEXT NOT NULL,
    claimed_until BIGINT NOT NULL
);

-- Synchronisations that people asked for and that no command line has been told yet.
CREATE TABLE sync_triggers (
    id TEXT NOT NULL PRIMARY KEY,
    -- For this connection alone; null: for whoever listens for the data source.
    connection_id TEXT,
    data_source_id TEXT,
    -- The message as it is sent (JSON).
    event TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    claimed_by TEXT NOT NULL,
    claimed_until BIGINT NOT NULL
);
