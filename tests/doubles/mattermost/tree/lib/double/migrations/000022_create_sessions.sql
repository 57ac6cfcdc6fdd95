CREATE TABLE sessions (
    id varchar(26) PRIMARY KEY, token varchar(26), createat bigint, expiresat bigint, lastactivityat bigint,
    userid varchar(26), deviceid varchar(512), roles varchar(256), isoauth boolean, props jsonb
);
CREATE INDEX idx_sessions_token ON sessions (token);
CREATE INDEX idx_sessions_user_id ON sessions (userid);
