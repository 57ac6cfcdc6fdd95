CREATE TABLE configurations (
    id varchar(26) PRIMARY KEY, value text NOT NULL, createat bigint NOT NULL, active boolean DEFAULT NULL UNIQUE
);
