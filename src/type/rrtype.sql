-- Type rrtype: a record type (src/type/rrtype_type.c, src/dns/rrtype.c).

CREATE TYPE @extschema@.rrtype;

CREATE FUNCTION @extschema@.rrtype_in(cstring) RETURNS @extschema@.rrtype
    AS 'MODULE_PATHNAME', 'rrtype_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_in(cstring) IS 'I/O';
CREATE FUNCTION @extschema@.rrtype_out(@extschema@.rrtype) RETURNS cstring
    AS 'MODULE_PATHNAME', 'rrtype_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_out(@extschema@.rrtype) IS 'I/O';
CREATE FUNCTION @extschema@.rrtype_recv(internal) RETURNS @extschema@.rrtype
    AS 'MODULE_PATHNAME', 'rrtype_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_recv(internal) IS 'I/O';
CREATE FUNCTION @extschema@.rrtype_send(@extschema@.rrtype) RETURNS bytea
    AS 'MODULE_PATHNAME', 'rrtype_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_send(@extschema@.rrtype) IS 'I/O: 16 bits';

CREATE TYPE @extschema@.rrtype (
    INPUT = @extschema@.rrtype_in, OUTPUT = @extschema@.rrtype_out, RECEIVE = @extschema@.rrtype_recv, SEND = @extschema@.rrtype_send,
    INTERNALLENGTH = 2, PASSEDBYVALUE, ALIGNMENT = int2, STORAGE = plain
);
COMMENT ON TYPE @extschema@.rrtype IS 'a DNS record type: its mnemonic or TYPEn (RFC 3597), in numeric order; query-only types such as ANY too';

-- Casts

CREATE FUNCTION @extschema@.rrtype(text) RETURNS @extschema@.rrtype
    AS 'MODULE_PATHNAME', 'rrtype_from_text_sql' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype(text) IS 'convert text to rrtype';
CREATE CAST (@extschema@.rrtype AS text) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS @extschema@.rrtype) WITH FUNCTION @extschema@.rrtype(text) AS ASSIGNMENT;
CREATE CAST (varchar AS @extschema@.rrtype) WITH FUNCTION @extschema@.rrtype(text) AS ASSIGNMENT;
CREATE FUNCTION @extschema@.rrtype(integer) RETURNS @extschema@.rrtype
    AS 'MODULE_PATHNAME', 'rrtype_from_int4' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype(integer) IS 'convert a number to rrtype';
CREATE FUNCTION @extschema@.int4(@extschema@.rrtype) RETURNS integer
    AS 'MODULE_PATHNAME', 'rrtype_to_int4' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.int4(@extschema@.rrtype) IS 'convert rrtype to its number';
CREATE CAST (integer AS @extschema@.rrtype) WITH FUNCTION @extschema@.rrtype(integer);
CREATE CAST (@extschema@.rrtype AS integer) WITH FUNCTION @extschema@.int4(@extschema@.rrtype);

-- rrtype with rrtype: numeric order

CREATE FUNCTION @extschema@.rrtype_eq(@extschema@.rrtype, @extschema@.rrtype) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_eq' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_eq(@extschema@.rrtype, @extschema@.rrtype) IS 'implementation of = operator';
CREATE FUNCTION @extschema@.rrtype_ne(@extschema@.rrtype, @extschema@.rrtype) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_ne' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_ne(@extschema@.rrtype, @extschema@.rrtype) IS 'implementation of <> operator';
CREATE FUNCTION @extschema@.rrtype_lt(@extschema@.rrtype, @extschema@.rrtype) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_lt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_lt(@extschema@.rrtype, @extschema@.rrtype) IS 'implementation of < operator';
CREATE FUNCTION @extschema@.rrtype_le(@extschema@.rrtype, @extschema@.rrtype) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_le' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_le(@extschema@.rrtype, @extschema@.rrtype) IS 'implementation of <= operator';
CREATE FUNCTION @extschema@.rrtype_gt(@extschema@.rrtype, @extschema@.rrtype) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_gt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_gt(@extschema@.rrtype, @extschema@.rrtype) IS 'implementation of > operator';
CREATE FUNCTION @extschema@.rrtype_ge(@extschema@.rrtype, @extschema@.rrtype) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_ge' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_ge(@extschema@.rrtype, @extschema@.rrtype) IS 'implementation of >= operator';
CREATE FUNCTION @extschema@.rrtype_cmp(@extschema@.rrtype, @extschema@.rrtype) RETURNS integer
    AS 'MODULE_PATHNAME', 'rrtype_cmp' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_cmp(@extschema@.rrtype, @extschema@.rrtype) IS 'less-equal-greater';
CREATE FUNCTION @extschema@.rrtype_sortsupport(internal) RETURNS void
    AS 'MODULE_PATHNAME', 'rrtype_sortsupport' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_sortsupport(internal) IS 'sort support';
CREATE FUNCTION @extschema@.rrtype_hash(@extschema@.rrtype) RETURNS integer
    AS 'MODULE_PATHNAME', 'rrtype_hash' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_hash(@extschema@.rrtype) IS 'hash';
CREATE FUNCTION @extschema@.rrtype_hash_extended(@extschema@.rrtype, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'rrtype_hash_extended' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_hash_extended(@extschema@.rrtype, bigint) IS 'hash';

CREATE OPERATOR @extschema@.= (
    FUNCTION = @extschema@.rrtype_eq, LEFTARG = @extschema@.rrtype, RIGHTARG = @extschema@.rrtype,
    COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR @extschema@.= (@extschema@.rrtype, @extschema@.rrtype) IS 'equal';
CREATE OPERATOR @extschema@.<> (
    FUNCTION = @extschema@.rrtype_ne, LEFTARG = @extschema@.rrtype, RIGHTARG = @extschema@.rrtype,
    COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR @extschema@.<> (@extschema@.rrtype, @extschema@.rrtype) IS 'not equal';
CREATE OPERATOR @extschema@.< (
    FUNCTION = @extschema@.rrtype_lt, LEFTARG = @extschema@.rrtype, RIGHTARG = @extschema@.rrtype,
    COMMUTATOR = OPERATOR(@extschema@.>), NEGATOR = OPERATOR(@extschema@.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR @extschema@.< (@extschema@.rrtype, @extschema@.rrtype) IS 'less than';
CREATE OPERATOR @extschema@.<= (
    FUNCTION = @extschema@.rrtype_le, LEFTARG = @extschema@.rrtype, RIGHTARG = @extschema@.rrtype,
    COMMUTATOR = OPERATOR(@extschema@.>=), NEGATOR = OPERATOR(@extschema@.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR @extschema@.<= (@extschema@.rrtype, @extschema@.rrtype) IS 'less than or equal';
CREATE OPERATOR @extschema@.> (
    FUNCTION = @extschema@.rrtype_gt, LEFTARG = @extschema@.rrtype, RIGHTARG = @extschema@.rrtype,
    COMMUTATOR = OPERATOR(@extschema@.<), NEGATOR = OPERATOR(@extschema@.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR @extschema@.> (@extschema@.rrtype, @extschema@.rrtype) IS 'greater than';
CREATE OPERATOR @extschema@.>= (
    FUNCTION = @extschema@.rrtype_ge, LEFTARG = @extschema@.rrtype, RIGHTARG = @extschema@.rrtype,
    COMMUTATOR = OPERATOR(@extschema@.<=), NEGATOR = OPERATOR(@extschema@.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR @extschema@.>= (@extschema@.rrtype, @extschema@.rrtype) IS 'greater than or equal';

CREATE OPERATOR FAMILY @extschema@.rrtype_ops USING btree;
CREATE OPERATOR CLASS @extschema@.rrtype_ops DEFAULT FOR TYPE @extschema@.rrtype USING btree FAMILY @extschema@.rrtype_ops AS
    OPERATOR 1 @extschema@.<, OPERATOR 2 @extschema@.<=, OPERATOR 3 @extschema@.=, OPERATOR 4 @extschema@.>=, OPERATOR 5 @extschema@.>,
    FUNCTION 1 @extschema@.rrtype_cmp(@extschema@.rrtype, @extschema@.rrtype),
    FUNCTION 2 @extschema@.rrtype_sortsupport(internal),
    FUNCTION 4 (@extschema@.rrtype, @extschema@.rrtype) btequalimage(oid);
CREATE OPERATOR CLASS @extschema@.rrtype_ops DEFAULT FOR TYPE @extschema@.rrtype USING hash AS
    OPERATOR 1 @extschema@.=,
    FUNCTION 1 @extschema@.rrtype_hash(@extschema@.rrtype),
    FUNCTION 2 @extschema@.rrtype_hash_extended(@extschema@.rrtype, bigint);
COMMENT ON OPERATOR FAMILY @extschema@.rrtype_ops USING btree IS 'numeric order';
COMMENT ON OPERATOR CLASS @extschema@.rrtype_ops USING btree IS 'numeric order';
COMMENT ON OPERATOR FAMILY @extschema@.rrtype_ops USING hash IS 'equality';
COMMENT ON OPERATOR CLASS @extschema@.rrtype_ops USING hash IS 'equality';

CREATE FUNCTION @extschema@.rrtype_smaller(@extschema@.rrtype, @extschema@.rrtype) RETURNS @extschema@.rrtype
    AS 'MODULE_PATHNAME', 'rrtype_smaller' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_smaller(@extschema@.rrtype, @extschema@.rrtype) IS 'the first of two';
CREATE AGGREGATE @extschema@.min(@extschema@.rrtype) (
    SFUNC = @extschema@.rrtype_smaller, STYPE = @extschema@.rrtype, COMBINEFUNC = @extschema@.rrtype_smaller,
    SORTOP = OPERATOR(@extschema@.<), PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.min(@extschema@.rrtype) IS 'the first in numeric order';
CREATE FUNCTION @extschema@.rrtype_larger(@extschema@.rrtype, @extschema@.rrtype) RETURNS @extschema@.rrtype
    AS 'MODULE_PATHNAME', 'rrtype_larger' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_larger(@extschema@.rrtype, @extschema@.rrtype) IS 'the last of two';
CREATE AGGREGATE @extschema@.max(@extschema@.rrtype) (
    SFUNC = @extschema@.rrtype_larger, STYPE = @extschema@.rrtype, COMBINEFUNC = @extschema@.rrtype_larger,
    SORTOP = OPERATOR(@extschema@.>), PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.max(@extschema@.rrtype) IS 'the last in numeric order';

-- rrtype with text, so that the types that drivers give their parameters do not keep an index from being used.
-- What is no record type is equal to nothing and sorts last.

CREATE FUNCTION @extschema@.rrtype_text_eq(@extschema@.rrtype, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_text_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_text_eq(@extschema@.rrtype, text) IS 'implementation of = operator';
CREATE FUNCTION @extschema@.rrtype_text_ne(@extschema@.rrtype, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_text_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_text_ne(@extschema@.rrtype, text) IS 'implementation of <> operator';
CREATE FUNCTION @extschema@.rrtype_text_lt(@extschema@.rrtype, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_text_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_text_lt(@extschema@.rrtype, text) IS 'implementation of < operator';
CREATE FUNCTION @extschema@.rrtype_text_le(@extschema@.rrtype, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_text_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_text_le(@extschema@.rrtype, text) IS 'implementation of <= operator';
CREATE FUNCTION @extschema@.rrtype_text_gt(@extschema@.rrtype, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_text_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_text_gt(@extschema@.rrtype, text) IS 'implementation of > operator';
CREATE FUNCTION @extschema@.rrtype_text_ge(@extschema@.rrtype, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_text_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_text_ge(@extschema@.rrtype, text) IS 'implementation of >= operator';
CREATE FUNCTION @extschema@.rrtype_text_cmp(@extschema@.rrtype, text) RETURNS integer
    AS 'MODULE_PATHNAME', 'rrtype_text_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_text_cmp(@extschema@.rrtype, text) IS 'less-equal-greater';
CREATE FUNCTION @extschema@.text_rrtype_eq(text, @extschema@.rrtype) RETURNS boolean
    AS 'MODULE_PATHNAME', 'text_rrtype_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.text_rrtype_eq(text, @extschema@.rrtype) IS 'implementation of = operator';
CREATE FUNCTION @extschema@.text_rrtype_ne(text, @extschema@.rrtype) RETURNS boolean
    AS 'MODULE_PATHNAME', 'text_rrtype_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.text_rrtype_ne(text, @extschema@.rrtype) IS 'implementation of <> operator';
CREATE FUNCTION @extschema@.text_rrtype_lt(text, @extschema@.rrtype) RETURNS boolean
    AS 'MODULE_PATHNAME', 'text_rrtype_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.text_rrtype_lt(text, @extschema@.rrtype) IS 'implementation of < operator';
CREATE FUNCTION @extschema@.text_rrtype_le(text, @extschema@.rrtype) RETURNS boolean
    AS 'MODULE_PATHNAME', 'text_rrtype_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.text_rrtype_le(text, @extschema@.rrtype) IS 'implementation of <= operator';
CREATE FUNCTION @extschema@.text_rrtype_gt(text, @extschema@.rrtype) RETURNS boolean
    AS 'MODULE_PATHNAME', 'text_rrtype_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.text_rrtype_gt(text, @extschema@.rrtype) IS 'implementation of > operator';
CREATE FUNCTION @extschema@.text_rrtype_ge(text, @extschema@.rrtype) RETURNS boolean
    AS 'MODULE_PATHNAME', 'text_rrtype_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.text_rrtype_ge(text, @extschema@.rrtype) IS 'implementation of >= operator';
CREATE FUNCTION @extschema@.text_rrtype_cmp(text, @extschema@.rrtype) RETURNS integer
    AS 'MODULE_PATHNAME', 'text_rrtype_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.text_rrtype_cmp(text, @extschema@.rrtype) IS 'less-equal-greater';
CREATE FUNCTION @extschema@.rrtype_text_text_cmp(text, text) RETURNS integer
    AS 'MODULE_PATHNAME', 'rrtype_text_text_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_text_text_cmp(text, text) IS 'less-equal-greater of two texts, read as rrtype';
CREATE FUNCTION @extschema@.rrtype_text_text_eq(text, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_text_text_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_text_text_eq(text, text) IS 'implementation of =#= operator';
CREATE FUNCTION @extschema@.rrtype_text_hash(text) RETURNS integer
    AS 'MODULE_PATHNAME', 'rrtype_text_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_text_hash(text) IS 'hash of a text, read as rrtype';
CREATE FUNCTION @extschema@.rrtype_text_hash_extended(text, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'rrtype_text_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_text_hash_extended(text, bigint) IS 'hash of a text, read as rrtype';

CREATE OPERATOR @extschema@.= (
    FUNCTION = @extschema@.rrtype_text_eq, LEFTARG = @extschema@.rrtype, RIGHTARG = text,
    COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
COMMENT ON OPERATOR @extschema@.= (@extschema@.rrtype, text) IS 'equal';
CREATE OPERATOR @extschema@.<> (
    FUNCTION = @extschema@.rrtype_text_ne, LEFTARG = @extschema@.rrtype, RIGHTARG = text,
    COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR @extschema@.<> (@extschema@.rrtype, text) IS 'not equal';
CREATE OPERATOR @extschema@.< (
    FUNCTION = @extschema@.rrtype_text_lt, LEFTARG = @extschema@.rrtype, RIGHTARG = text,
    COMMUTATOR = OPERATOR(@extschema@.>), NEGATOR = OPERATOR(@extschema@.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR @extschema@.< (@extschema@.rrtype, text) IS 'less than';
CREATE OPERATOR @extschema@.<= (
    FUNCTION = @extschema@.rrtype_text_le, LEFTARG = @extschema@.rrtype, RIGHTARG = text,
    COMMUTATOR = OPERATOR(@extschema@.>=), NEGATOR = OPERATOR(@extschema@.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR @extschema@.<= (@extschema@.rrtype, text) IS 'less than or equal';
CREATE OPERATOR @extschema@.> (
    FUNCTION = @extschema@.rrtype_text_gt, LEFTARG = @extschema@.rrtype, RIGHTARG = text,
    COMMUTATOR = OPERATOR(@extschema@.<), NEGATOR = OPERATOR(@extschema@.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR @extschema@.> (@extschema@.rrtype, text) IS 'greater than';
CREATE OPERATOR @extschema@.>= (
    FUNCTION = @extschema@.rrtype_text_ge, LEFTARG = @extschema@.rrtype, RIGHTARG = text,
    COMMUTATOR = OPERATOR(@extschema@.<=), NEGATOR = OPERATOR(@extschema@.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR @extschema@.>= (@extschema@.rrtype, text) IS 'greater than or equal';
CREATE OPERATOR @extschema@.= (
    FUNCTION = @extschema@.text_rrtype_eq, LEFTARG = text, RIGHTARG = @extschema@.rrtype,
    COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
COMMENT ON OPERATOR @extschema@.= (text, @extschema@.rrtype) IS 'equal';
CREATE OPERATOR @extschema@.<> (
    FUNCTION = @extschema@.text_rrtype_ne, LEFTARG = text, RIGHTARG = @extschema@.rrtype,
    COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR @extschema@.<> (text, @extschema@.rrtype) IS 'not equal';
CREATE OPERATOR @extschema@.< (
    FUNCTION = @extschema@.text_rrtype_lt, LEFTARG = text, RIGHTARG = @extschema@.rrtype,
    COMMUTATOR = OPERATOR(@extschema@.>), NEGATOR = OPERATOR(@extschema@.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR @extschema@.< (text, @extschema@.rrtype) IS 'less than';
CREATE OPERATOR @extschema@.<= (
    FUNCTION = @extschema@.text_rrtype_le, LEFTARG = text, RIGHTARG = @extschema@.rrtype,
    COMMUTATOR = OPERATOR(@extschema@.>=), NEGATOR = OPERATOR(@extschema@.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR @extschema@.<= (text, @extschema@.rrtype) IS 'less than or equal';
CREATE OPERATOR @extschema@.> (
    FUNCTION = @extschema@.text_rrtype_gt, LEFTARG = text, RIGHTARG = @extschema@.rrtype,
    COMMUTATOR = OPERATOR(@extschema@.<), NEGATOR = OPERATOR(@extschema@.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR @extschema@.> (text, @extschema@.rrtype) IS 'greater than';
CREATE OPERATOR @extschema@.>= (
    FUNCTION = @extschema@.text_rrtype_ge, LEFTARG = text, RIGHTARG = @extschema@.rrtype,
    COMMUTATOR = OPERATOR(@extschema@.<=), NEGATOR = OPERATOR(@extschema@.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR @extschema@.>= (text, @extschema@.rrtype) IS 'greater than or equal';

-- The functions for two texts serve arrays and hash tables of text, =#= the hash table that `type NOT IN (SELECT ...)` makes.
-- For two texts = is text's own, and means something else; so do <, <=, >= and >, which amvalidate() misses in the btree family.
CREATE OPERATOR @extschema@.=#= (
    FUNCTION = @extschema@.rrtype_text_text_eq, LEFTARG = text, RIGHTARG = text,
    COMMUTATOR = OPERATOR(@extschema@.=#=),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
COMMENT ON OPERATOR @extschema@.=#= (text, text) IS 'the same type, for two texts';
ALTER OPERATOR FAMILY @extschema@.rrtype_ops USING btree ADD
    OPERATOR 1 @extschema@.< (@extschema@.rrtype, text),
    OPERATOR 2 @extschema@.<= (@extschema@.rrtype, text),
    OPERATOR 3 @extschema@.= (@extschema@.rrtype, text),
    OPERATOR 4 @extschema@.>= (@extschema@.rrtype, text),
    OPERATOR 5 @extschema@.> (@extschema@.rrtype, text),
    FUNCTION 1 (@extschema@.rrtype, text) @extschema@.rrtype_text_cmp(@extschema@.rrtype, text),
    OPERATOR 1 @extschema@.< (text, @extschema@.rrtype),
    OPERATOR 2 @extschema@.<= (text, @extschema@.rrtype),
    OPERATOR 3 @extschema@.= (text, @extschema@.rrtype),
    OPERATOR 4 @extschema@.>= (text, @extschema@.rrtype),
    OPERATOR 5 @extschema@.> (text, @extschema@.rrtype),
    FUNCTION 1 (text, @extschema@.rrtype) @extschema@.text_rrtype_cmp(text, @extschema@.rrtype),
    FUNCTION 1 (text, text) @extschema@.rrtype_text_text_cmp(text, text);
ALTER OPERATOR FAMILY @extschema@.rrtype_ops USING hash ADD
    OPERATOR 1 @extschema@.= (@extschema@.rrtype, text),
    OPERATOR 1 @extschema@.= (text, @extschema@.rrtype),
    OPERATOR 1 @extschema@.=#= (text, text),
    FUNCTION 1 (text, text) @extschema@.rrtype_text_hash(text),
    FUNCTION 2 (text, text) @extschema@.rrtype_text_hash_extended(text, bigint);

-- LIKE and ILIKE see what the type prints.

CREATE FUNCTION @extschema@.rrtype_like(@extschema@.rrtype, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_like' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_like(@extschema@.rrtype, text) IS 'implementation of ~~ operator';
CREATE OPERATOR @extschema@.~~ (
    FUNCTION = @extschema@.rrtype_like, LEFTARG = @extschema@.rrtype, RIGHTARG = text,
    NEGATOR = OPERATOR(@extschema@.!~~),
    RESTRICT = likesel, JOIN = likejoinsel
);
COMMENT ON OPERATOR @extschema@.~~ (@extschema@.rrtype, text) IS 'matches LIKE expression';
CREATE FUNCTION @extschema@.rrtype_not_like(@extschema@.rrtype, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_not_like' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_not_like(@extschema@.rrtype, text) IS 'implementation of !~~ operator';
CREATE OPERATOR @extschema@.!~~ (
    FUNCTION = @extschema@.rrtype_not_like, LEFTARG = @extschema@.rrtype, RIGHTARG = text,
    NEGATOR = OPERATOR(@extschema@.~~),
    RESTRICT = nlikesel, JOIN = nlikejoinsel
);
COMMENT ON OPERATOR @extschema@.!~~ (@extschema@.rrtype, text) IS 'does not match LIKE expression';
CREATE FUNCTION @extschema@.rrtype_ilike(@extschema@.rrtype, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_ilike' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_ilike(@extschema@.rrtype, text) IS 'implementation of ~~* operator';
CREATE OPERATOR @extschema@.~~* (
    FUNCTION = @extschema@.rrtype_ilike, LEFTARG = @extschema@.rrtype, RIGHTARG = text,
    NEGATOR = OPERATOR(@extschema@.!~~*),
    RESTRICT = iclikesel, JOIN = iclikejoinsel
);
COMMENT ON OPERATOR @extschema@.~~* (@extschema@.rrtype, text) IS 'matches LIKE expression, case-insensitive';
CREATE FUNCTION @extschema@.rrtype_not_ilike(@extschema@.rrtype, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_not_ilike' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_not_ilike(@extschema@.rrtype, text) IS 'implementation of !~~* operator';
CREATE OPERATOR @extschema@.!~~* (
    FUNCTION = @extschema@.rrtype_not_ilike, LEFTARG = @extschema@.rrtype, RIGHTARG = text,
    NEGATOR = OPERATOR(@extschema@.~~*),
    RESTRICT = icnlikesel, JOIN = icnlikejoinsel
);
COMMENT ON OPERATOR @extschema@.!~~* (@extschema@.rrtype, text) IS 'does not match LIKE expression, case-insensitive';

-- Functions

CREATE FUNCTION @extschema@.rrtype_is_meta(@extschema@.rrtype) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rrtype_is_meta_sql' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.rrtype_is_meta(@extschema@.rrtype) IS 'is this a type for queries and messages only, which no zone holds (RFC 6895 3.1)?';
