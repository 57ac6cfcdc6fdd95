CREATE TABLE users (
    id varchar(26) PRIMARY KEY, createat bigint, updateat bigint, deleteat bigint,
    username varchar(64) UNIQUE, password varchar(128), authdata varchar(128) UNIQUE, authservice varchar(32),
    email varchar(128) UNIQUE, emailverified boolean, nickname varchar(64), firstname varchar(64),
    lastname varchar(64), position varchar(128), roles varchar(256), allowmarketing boolean, props jsonb,
    notifyprops jsonb, lastpasswordupdate bigint, lastpictureupdate bigint, failedattempts integer,
    locale varchar(5), timezone jsonb, mfaactive boolean, mfasecret varchar(128)
);
CREATE INDEX idx_users_delete_at ON users (deleteat);
