-- Type rr: one complete record of class IN (src/type/rr.c).

CREATE TYPE @extschema@.rr;

CREATE FUNCTION @extschema@.rr_in(cstring) RETURNS @extschema@.rr
    AS 'MODULE_PATHNAME', 'rr_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr_in(cstring) IS 'I/O';
CREATE FUNCTION @extschema@.rr_out(@extschema@.rr) RETURNS cstring
    AS 'MODULE_PATHNAME', 'rr_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr_out(@extschema@.rr) IS 'I/O';
CREATE FUNCTION @extschema@.rr_recv(internal) RETURNS @extschema@.rr
    AS 'MODULE_PATHNAME', 'rr_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr_recv(internal) IS 'I/O';
CREATE FUNCTION @extschema@.rr_send(@extschema@.rr) RETURNS bytea
    AS 'MODULE_PATHNAME', 'rr_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr_send(@extschema@.rr) IS 'I/O: owner, type, class, TTL, length, rdata as in a DNS message, uncompressed (RFC 1035 3.2.1)';

CREATE TYPE @extschema@.rr (
    INPUT = @extschema@.rr_in, OUTPUT = @extschema@.rr_out, RECEIVE = @extschema@.rr_recv, SEND = @extschema@.rr_send,
    INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = extended
);
COMMENT ON TYPE @extschema@.rr IS 'a DNS record in presentation form: www.example. 300 IN A 192.0.2.1';

-- Casts

CREATE CAST (@extschema@.rr AS text) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS @extschema@.rr) WITH INOUT AS ASSIGNMENT;
CREATE CAST (varchar AS @extschema@.rr) WITH INOUT AS ASSIGNMENT;

-- rr with rr: canonical order: owner, type, rdata (RFC 4034 6); then TTL

CREATE FUNCTION @extschema@.rr_eq(@extschema@.rr, @extschema@.rr) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rr_eq' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr_eq(@extschema@.rr, @extschema@.rr) IS 'implementation of = operator';
CREATE FUNCTION @extschema@.rr_ne(@extschema@.rr, @extschema@.rr) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rr_ne' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr_ne(@extschema@.rr, @extschema@.rr) IS 'implementation of <> operator';
CREATE FUNCTION @extschema@.rr_lt(@extschema@.rr, @extschema@.rr) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rr_lt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr_lt(@extschema@.rr, @extschema@.rr) IS 'implementation of < operator';
CREATE FUNCTION @extschema@.rr_le(@extschema@.rr, @extschema@.rr) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rr_le' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr_le(@extschema@.rr, @extschema@.rr) IS 'implementation of <= operator';
CREATE FUNCTION @extschema@.rr_gt(@extschema@.rr, @extschema@.rr) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rr_gt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr_gt(@extschema@.rr, @extschema@.rr) IS 'implementation of > operator';
CREATE FUNCTION @extschema@.rr_ge(@extschema@.rr, @extschema@.rr) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rr_ge' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr_ge(@extschema@.rr, @extschema@.rr) IS 'implementation of >= operator';
CREATE FUNCTION @extschema@.rr_cmp(@extschema@.rr, @extschema@.rr) RETURNS integer
    AS 'MODULE_PATHNAME', 'rr_cmp' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr_cmp(@extschema@.rr, @extschema@.rr) IS 'less-equal-greater';
CREATE FUNCTION @extschema@.rr_sortsupport(internal) RETURNS void
    AS 'MODULE_PATHNAME', 'rr_sortsupport' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr_sortsupport(internal) IS 'sort support';
CREATE FUNCTION @extschema@.rr_hash(@extschema@.rr) RETURNS integer
    AS 'MODULE_PATHNAME', 'rr_hash' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr_hash(@extschema@.rr) IS 'hash';
CREATE FUNCTION @extschema@.rr_hash_extended(@extschema@.rr, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'rr_hash_extended' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr_hash_extended(@extschema@.rr, bigint) IS 'hash';

CREATE OPERATOR @extschema@.= (
    FUNCTION = @extschema@.rr_eq, LEFTARG = @extschema@.rr, RIGHTARG = @extschema@.rr,
    COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR @extschema@.= (@extschema@.rr, @extschema@.rr) IS 'equal';
CREATE OPERATOR @extschema@.<> (
    FUNCTION = @extschema@.rr_ne, LEFTARG = @extschema@.rr, RIGHTARG = @extschema@.rr,
    COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR @extschema@.<> (@extschema@.rr, @extschema@.rr) IS 'not equal';
CREATE OPERATOR @extschema@.< (
    FUNCTION = @extschema@.rr_lt, LEFTARG = @extschema@.rr, RIGHTARG = @extschema@.rr,
    COMMUTATOR = OPERATOR(@extschema@.>), NEGATOR = OPERATOR(@extschema@.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR @extschema@.< (@extschema@.rr, @extschema@.rr) IS 'less than';
CREATE OPERATOR @extschema@.<= (
    FUNCTION = @extschema@.rr_le, LEFTARG = @extschema@.rr, RIGHTARG = @extschema@.rr,
    COMMUTATOR = OPERATOR(@extschema@.>=), NEGATOR = OPERATOR(@extschema@.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR @extschema@.<= (@extschema@.rr, @extschema@.rr) IS 'less than or equal';
CREATE OPERATOR @extschema@.> (
    FUNCTION = @extschema@.rr_gt, LEFTARG = @extschema@.rr, RIGHTARG = @extschema@.rr,
    COMMUTATOR = OPERATOR(@extschema@.<), NEGATOR = OPERATOR(@extschema@.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR @extschema@.> (@extschema@.rr, @extschema@.rr) IS 'greater than';
CREATE OPERATOR @extschema@.>= (
    FUNCTION = @extschema@.rr_ge, LEFTARG = @extschema@.rr, RIGHTARG = @extschema@.rr,
    COMMUTATOR = OPERATOR(@extschema@.<=), NEGATOR = OPERATOR(@extschema@.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR @extschema@.>= (@extschema@.rr, @extschema@.rr) IS 'greater than or equal';

CREATE OPERATOR FAMILY @extschema@.rr_ops USING btree;
CREATE OPERATOR CLASS @extschema@.rr_ops DEFAULT FOR TYPE @extschema@.rr USING btree FAMILY @extschema@.rr_ops AS
    OPERATOR 1 @extschema@.<, OPERATOR 2 @extschema@.<=, OPERATOR 3 @extschema@.=, OPERATOR 4 @extschema@.>=, OPERATOR 5 @extschema@.>,
    FUNCTION 1 @extschema@.rr_cmp(@extschema@.rr, @extschema@.rr),
    FUNCTION 2 @extschema@.rr_sortsupport(internal),
    FUNCTION 4 (@extschema@.rr, @extschema@.rr) btequalimage(oid);
CREATE OPERATOR CLASS @extschema@.rr_ops DEFAULT FOR TYPE @extschema@.rr USING hash AS
    OPERATOR 1 @extschema@.=,
    FUNCTION 1 @extschema@.rr_hash(@extschema@.rr),
    FUNCTION 2 @extschema@.rr_hash_extended(@extschema@.rr, bigint);
COMMENT ON OPERATOR FAMILY @extschema@.rr_ops USING btree IS 'canonical order: owner, type, rdata (RFC 4034 6); then TTL';
COMMENT ON OPERATOR CLASS @extschema@.rr_ops USING btree IS 'canonical order: owner, type, rdata (RFC 4034 6); then TTL';
COMMENT ON OPERATOR FAMILY @extschema@.rr_ops USING hash IS 'equality';
COMMENT ON OPERATOR CLASS @extschema@.rr_ops USING hash IS 'equality';

-- Functions

CREATE FUNCTION @extschema@.owner(@extschema@.rr) RETURNS @extschema@.dnsname
    AS 'MODULE_PATHNAME', 'rr_owner' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.owner(@extschema@.rr) IS 'the owner name of a record';
CREATE FUNCTION @extschema@.ttl(@extschema@.rr) RETURNS integer
    AS 'MODULE_PATHNAME', 'rr_ttl' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.ttl(@extschema@.rr) IS 'the time to live of a record, in seconds';
CREATE FUNCTION @extschema@.type(@extschema@.rr) RETURNS @extschema@.rrtype
    AS 'MODULE_PATHNAME', 'rr_type' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.type(@extschema@.rr) IS 'the type of a record';
CREATE FUNCTION @extschema@.rdata(@extschema@.rr) RETURNS text
    AS 'MODULE_PATHNAME', 'rr_rdata' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rdata(@extschema@.rr) IS 'the data of a record in presentation form';
CREATE FUNCTION @extschema@.rr(owner @extschema@.dnsname, ttl integer, type @extschema@.rrtype, rdata text) RETURNS @extschema@.rr
    AS 'MODULE_PATHNAME', 'rr_make' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr(owner @extschema@.dnsname, ttl integer, type @extschema@.rrtype, rdata text) IS 'a record from its parts; names in rdata are absolute';
CREATE FUNCTION @extschema@.rr(name @extschema@.dnsname, type @extschema@.rrtype, ttl integer, prio integer, content text) RETURNS @extschema@.rr
    AS 'MODULE_PATHNAME', 'rr_from_record' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rr(name @extschema@.dnsname, type @extschema@.rrtype, ttl integer, prio integer, content text) IS 'a record from a row of PowerDNS, which keeps the priority of MX and SRV outside content; null if anything but prio is null';
