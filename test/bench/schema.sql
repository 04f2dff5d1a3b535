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
CREATE TABLE supermasters (ip INET NOT NULL, nameserver VARCHAR(255) NOT NULL, account VARCHAR(40) NOT NULL, PRIMARY KEY (ip, nameserver));
CREATE TABLE comments (
  id SERIAL PRIMARY KEY, domain_id INT NOT NULL REFERENCES domains (id) ON DELETE CASCADE, name VARCHAR(255) NOT NULL, type VARCHAR(10) NOT NULL,
  modified_at INT NOT NULL, account VARCHAR(40), comment VARCHAR(65535) NOT NULL);
CREATE TABLE domainmetadata (id SERIAL PRIMARY KEY, domain_id INT REFERENCES domains (id) ON DELETE CASCADE, kind VARCHAR(32), content TEXT);
CREATE INDEX domainidmetaindex ON domainmetadata (domain_id);
CREATE TABLE cryptokeys (id SERIAL PRIMARY KEY, domain_id INT REFERENCES domains (id) ON DELETE CASCADE, flags INT NOT NULL, active BOOL, published BOOL DEFAULT TRUE, content TEXT);
CREATE INDEX domainidindex ON cryptokeys (domain_id);
CREATE TABLE tsigkeys (id SERIAL PRIMARY KEY, name VARCHAR(255), algorithm VARCHAR(50), secret VARCHAR(255));
CREATE UNIQUE INDEX namealgoindex ON tsigkeys (name, algorithm);
