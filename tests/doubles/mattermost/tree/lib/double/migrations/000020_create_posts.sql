CREATE TABLE posts (
    id varchar(26) PRIMARY KEY, createat bigint, updateat bigint, editat bigint, deleteat bigint,
    userid varchar(26), channelid varchar(26), rootid varchar(26), originalid varchar(26),
    message varchar(65535), type varchar(26), props jsonb, hashtags varchar(1000), fileids varchar(300),
    hasreactions boolean, ispinned boolean
);
CREATE INDEX idx_posts_channel_id_delete_at_create_at ON posts (channelid, deleteat, createat);
CREATE INDEX idx_posts_user_id ON posts (userid);
