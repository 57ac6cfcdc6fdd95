CREATE TABLE channels (
    id varchar(26) PRIMARY KEY, createat bigint, updateat bigint, deleteat bigint, teamid varchar(26),
    type varchar(1), displayname varchar(64), name varchar(64), header varchar(1024), purpose varchar(250),
    lastpostat bigint, totalmsgcount bigint, extraupdateat bigint, creatorid varchar(26),
    UNIQUE (name, teamid)
);
CREATE INDEX idx_channels_team_id ON channels (teamid);
