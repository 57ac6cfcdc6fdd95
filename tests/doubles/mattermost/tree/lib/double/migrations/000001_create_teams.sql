CREATE TABLE teams (
    id varchar(26) PRIMARY KEY, createat bigint, updateat bigint, deleteat bigint,
    displayname varchar(64), name varchar(64) UNIQUE, description varchar(255), email varchar(128),
    type varchar(1), companyname varchar(64), alloweddomains varchar(1000), inviteid varchar(32),
    allowopeninvite boolean
);
