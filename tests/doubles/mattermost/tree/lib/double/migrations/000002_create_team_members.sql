CREATE TABLE teammembers (
    teamid varchar(26), userid varchar(26), roles varchar(256), deleteat bigint,
    schemeuser boolean, schemeadmin boolean, createat bigint DEFAULT 0,
    PRIMARY KEY (teamid, userid)
);
CREATE INDEX idx_teammembers_user_id ON teammembers (userid);
