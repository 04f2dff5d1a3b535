-- The tables of PowerDNS 4.7's gpgsql backend, as the bare server of the benchmark has them.
CREATE TABLE domains (
  id SERIAL PRIMARY KEY, name VARCHAR(255) NOT NULL, master VARCHAR(128), last_check INT, type TEXT NOT NULL,
  notified_serial BIGINT, account VARCHAR(40), options TEXT, catalog TEXT,
  CONSTRAINT c_lowercase_name CHECK (name::TEXT = LOWER(name::TEXT)));
CREATE UNIQUE INDEX name_index ON domains (name);
CREATE INDEX catalog_idx ON domains (catalog);
CREATE TABLE records (
  id BIGSERIAL PRIMARY KEY, domain_id INT REFERENCES domains (id) ON DELETE CASCADE, name VARCHAR(255), type VARCHAR(10),
  content VARCHAR(65535), ttl INT, prio INT, disabled BOOL DEFAULT 'f', ordername VARCHAR(255), auth BOOL DEFAULT 't',
  CONSTRAINT c_lowercase_name CHECK (name::TEXT = LOWER(name::TEXT)));
CREATE INDEX rec_name_index ON records (name);
CREATE INDEX nametype_index ON records (name, type);
CREATE INDEX domain_id ON records (domain_id);
CREATE INDEX recordorder ON records (domain_id, ordername text_pattern_ops);
