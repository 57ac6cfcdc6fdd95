ALTER TABLE configurations ADD COLUMN sha char(64) DEFAULT '';
