CREATE TABLE channelmembers (
    channelid varchar(26), userid varchar(26), roles varchar(256), lastviewedat bigint, msgcount bigint,
    mentioncount bigint, notifyprops jsonb, lastupdateat bigint, schemeuser boolean, schemeadmin boolean,
    PRIMARY KEY (channelid, userid)
);
CREATE INDEX idx_channelmembers_user_id ON channelmembers (userid);
