-- Type dnsname: an absolute domain name (src/type/dnsname*.c, src/dns/name.c).

CREATE TYPE @extschema@.dnsname;

CREATE FUNCTION @extschema@.dnsname_in(cstring) RETURNS @extschema@.dnsname
    AS 'MODULE_PATHNAME', 'dnsname_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_in(cstring) IS 'I/O';
CREATE FUNCTION @extschema@.dnsname_out(@extschema@.dnsname) RETURNS cstring
    AS 'MODULE_PATHNAME', 'dnsname_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_out(@extschema@.dnsname) IS 'I/O';
CREATE FUNCTION @extschema@.dnsname_recv(internal) RETURNS @extschema@.dnsname
    AS 'MODULE_PATHNAME', 'dnsname_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_recv(internal) IS 'I/O';
CREATE FUNCTION @extschema@.dnsname_send(@extschema@.dnsname) RETURNS bytea
    AS 'MODULE_PATHNAME', 'dnsname_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_send(@extschema@.dnsname) IS 'I/O: uncompressed DNS wire form';

CREATE TYPE @extschema@.dnsname (
    INPUT = @extschema@.dnsname_in, OUTPUT = @extschema@.dnsname_out, RECEIVE = @extschema@.dnsname_recv, SEND = @extschema@.dnsname_send,
    INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = main
);
COMMENT ON TYPE @extschema@.dnsname IS 'an absolute domain name, in canonical DNS order (RFC 4034 6.1); shown in lower case, without the final dot';

-- Casts

CREATE FUNCTION @extschema@.dnsname(text) RETURNS @extschema@.dnsname
    AS 'MODULE_PATHNAME', 'dnsname_from_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname(text) IS 'convert text to dnsname';
CREATE CAST (@extschema@.dnsname AS text) WITH INOUT AS IMPLICIT;
CREATE CAST (text AS @extschema@.dnsname) WITH FUNCTION @extschema@.dnsname(text) AS ASSIGNMENT;
CREATE CAST (varchar AS @extschema@.dnsname) WITH FUNCTION @extschema@.dnsname(text) AS ASSIGNMENT;

-- dnsname with dnsname: canonical DNS order (RFC 4034 6.1)

CREATE FUNCTION @extschema@.dnsname_eq(@extschema@.dnsname, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_eq' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_eq(@extschema@.dnsname, @extschema@.dnsname) IS 'implementation of = operator';
CREATE FUNCTION @extschema@.dnsname_ne(@extschema@.dnsname, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_ne' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_ne(@extschema@.dnsname, @extschema@.dnsname) IS 'implementation of <> operator';
CREATE FUNCTION @extschema@.dnsname_lt(@extschema@.dnsname, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_lt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_lt(@extschema@.dnsname, @extschema@.dnsname) IS 'implementation of < operator';
CREATE FUNCTION @extschema@.dnsname_le(@extschema@.dnsname, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_le' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_le(@extschema@.dnsname, @extschema@.dnsname) IS 'implementation of <= operator';
CREATE FUNCTION @extschema@.dnsname_gt(@extschema@.dnsname, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_gt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_gt(@extschema@.dnsname, @extschema@.dnsname) IS 'implementation of > operator';
CREATE FUNCTION @extschema@.dnsname_ge(@extschema@.dnsname, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_ge' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_ge(@extschema@.dnsname, @extschema@.dnsname) IS 'implementation of >= operator';
CREATE FUNCTION @extschema@.dnsname_cmp(@extschema@.dnsname, @extschema@.dnsname) RETURNS integer
    AS 'MODULE_PATHNAME', 'dnsname_cmp' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_cmp(@extschema@.dnsname, @extschema@.dnsname) IS 'less-equal-greater';
CREATE FUNCTION @extschema@.dnsname_sortsupport(internal) RETURNS void
    AS 'MODULE_PATHNAME', 'dnsname_sortsupport' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_sortsupport(internal) IS 'sort support';
CREATE FUNCTION @extschema@.dnsname_hash(@extschema@.dnsname) RETURNS integer
    AS 'MODULE_PATHNAME', 'dnsname_hash' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_hash(@extschema@.dnsname) IS 'hash';
CREATE FUNCTION @extschema@.dnsname_hash_extended(@extschema@.dnsname, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'dnsname_hash_extended' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_hash_extended(@extschema@.dnsname, bigint) IS 'hash';

CREATE OPERATOR @extschema@.= (
    FUNCTION = @extschema@.dnsname_eq, LEFTARG = @extschema@.dnsname, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR @extschema@.= (@extschema@.dnsname, @extschema@.dnsname) IS 'equal';
CREATE OPERATOR @extschema@.<> (
    FUNCTION = @extschema@.dnsname_ne, LEFTARG = @extschema@.dnsname, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR @extschema@.<> (@extschema@.dnsname, @extschema@.dnsname) IS 'not equal';
CREATE OPERATOR @extschema@.< (
    FUNCTION = @extschema@.dnsname_lt, LEFTARG = @extschema@.dnsname, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.>), NEGATOR = OPERATOR(@extschema@.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR @extschema@.< (@extschema@.dnsname, @extschema@.dnsname) IS 'less than';
CREATE OPERATOR @extschema@.<= (
    FUNCTION = @extschema@.dnsname_le, LEFTARG = @extschema@.dnsname, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.>=), NEGATOR = OPERATOR(@extschema@.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR @extschema@.<= (@extschema@.dnsname, @extschema@.dnsname) IS 'less than or equal';
CREATE OPERATOR @extschema@.> (
    FUNCTION = @extschema@.dnsname_gt, LEFTARG = @extschema@.dnsname, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.<), NEGATOR = OPERATOR(@extschema@.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR @extschema@.> (@extschema@.dnsname, @extschema@.dnsname) IS 'greater than';
CREATE OPERATOR @extschema@.>= (
    FUNCTION = @extschema@.dnsname_ge, LEFTARG = @extschema@.dnsname, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.<=), NEGATOR = OPERATOR(@extschema@.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR @extschema@.>= (@extschema@.dnsname, @extschema@.dnsname) IS 'greater than or equal';

CREATE OPERATOR FAMILY @extschema@.dnsname_ops USING btree;
CREATE OPERATOR CLASS @extschema@.dnsname_ops DEFAULT FOR TYPE @extschema@.dnsname USING btree FAMILY @extschema@.dnsname_ops AS
    OPERATOR 1 @extschema@.<, OPERATOR 2 @extschema@.<=, OPERATOR 3 @extschema@.=, OPERATOR 4 @extschema@.>=, OPERATOR 5 @extschema@.>,
    FUNCTION 1 @extschema@.dnsname_cmp(@extschema@.dnsname, @extschema@.dnsname),
    FUNCTION 2 @extschema@.dnsname_sortsupport(internal),
    FUNCTION 4 (@extschema@.dnsname, @extschema@.dnsname) btequalimage(oid);
CREATE OPERATOR CLASS @extschema@.dnsname_ops DEFAULT FOR TYPE @extschema@.dnsname USING hash AS
    OPERATOR 1 @extschema@.=,
    FUNCTION 1 @extschema@.dnsname_hash(@extschema@.dnsname),
    FUNCTION 2 @extschema@.dnsname_hash_extended(@extschema@.dnsname, bigint);
COMMENT ON OPERATOR FAMILY @extschema@.dnsname_ops USING btree IS 'canonical DNS order (RFC 4034 6.1)';
COMMENT ON OPERATOR CLASS @extschema@.dnsname_ops USING btree IS 'canonical DNS order (RFC 4034 6.1)';
COMMENT ON OPERATOR FAMILY @extschema@.dnsname_ops USING hash IS 'equality';
COMMENT ON OPERATOR CLASS @extschema@.dnsname_ops USING hash IS 'equality';

CREATE FUNCTION @extschema@.dnsname_smaller(@extschema@.dnsname, @extschema@.dnsname) RETURNS @extschema@.dnsname
    AS 'MODULE_PATHNAME', 'dnsname_smaller' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_smaller(@extschema@.dnsname, @extschema@.dnsname) IS 'the first of two';
CREATE AGGREGATE @extschema@.min(@extschema@.dnsname) (
    SFUNC = @extschema@.dnsname_smaller, STYPE = @extschema@.dnsname, COMBINEFUNC = @extschema@.dnsname_smaller,
    SORTOP = OPERATOR(@extschema@.<), PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.min(@extschema@.dnsname) IS 'the first in canonical DNS order';
CREATE FUNCTION @extschema@.dnsname_larger(@extschema@.dnsname, @extschema@.dnsname) RETURNS @extschema@.dnsname
    AS 'MODULE_PATHNAME', 'dnsname_larger' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_larger(@extschema@.dnsname, @extschema@.dnsname) IS 'the last of two';
CREATE AGGREGATE @extschema@.max(@extschema@.dnsname) (
    SFUNC = @extschema@.dnsname_larger, STYPE = @extschema@.dnsname, COMBINEFUNC = @extschema@.dnsname_larger,
    SORTOP = OPERATOR(@extschema@.>), PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.max(@extschema@.dnsname) IS 'the last in canonical DNS order';

-- The tree. Below is a range of a btree: the support functions say so to the planner.

CREATE FUNCTION @extschema@.dnsname_subtree_end(@extschema@.dnsname) RETURNS @extschema@.dnsname
    AS 'MODULE_PATHNAME', 'dnsname_subtree_end' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_subtree_end(@extschema@.dnsname) IS 'where the names at and below a name end, for the planner; not always a legal name';
CREATE FUNCTION @extschema@.dnsname_below_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'dnsname_below_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_below_support(internal) IS 'planner support for <<';
CREATE FUNCTION @extschema@.dnsname_below(@extschema@.dnsname, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_below' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    SUPPORT @extschema@.dnsname_below_support;
COMMENT ON FUNCTION @extschema@.dnsname_below(@extschema@.dnsname, @extschema@.dnsname) IS 'implementation of << operator';
CREATE FUNCTION @extschema@.dnsname_below_eq_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'dnsname_below_eq_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_below_eq_support(internal) IS 'planner support for <<=';
CREATE FUNCTION @extschema@.dnsname_below_eq(@extschema@.dnsname, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_below_eq' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    SUPPORT @extschema@.dnsname_below_eq_support;
COMMENT ON FUNCTION @extschema@.dnsname_below_eq(@extschema@.dnsname, @extschema@.dnsname) IS 'implementation of <<= operator';
CREATE FUNCTION @extschema@.dnsname_above_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'dnsname_above_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_above_support(internal) IS 'planner support for >>';
CREATE FUNCTION @extschema@.dnsname_above(@extschema@.dnsname, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_above' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    SUPPORT @extschema@.dnsname_above_support;
COMMENT ON FUNCTION @extschema@.dnsname_above(@extschema@.dnsname, @extschema@.dnsname) IS 'implementation of >> operator';
CREATE FUNCTION @extschema@.dnsname_above_eq_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'dnsname_above_eq_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_above_eq_support(internal) IS 'planner support for >>=';
CREATE FUNCTION @extschema@.dnsname_above_eq(@extschema@.dnsname, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_above_eq' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
    SUPPORT @extschema@.dnsname_above_eq_support;
COMMENT ON FUNCTION @extschema@.dnsname_above_eq(@extschema@.dnsname, @extschema@.dnsname) IS 'implementation of >>= operator';
CREATE OPERATOR @extschema@.<< (
    FUNCTION = @extschema@.dnsname_below, LEFTARG = @extschema@.dnsname, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.>>),
    RESTRICT = matchingsel, JOIN = matchingjoinsel
);
COMMENT ON OPERATOR @extschema@.<< (@extschema@.dnsname, @extschema@.dnsname) IS 'is below';
CREATE OPERATOR @extschema@.<<= (
    FUNCTION = @extschema@.dnsname_below_eq, LEFTARG = @extschema@.dnsname, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.>>=),
    RESTRICT = matchingsel, JOIN = matchingjoinsel
);
COMMENT ON OPERATOR @extschema@.<<= (@extschema@.dnsname, @extschema@.dnsname) IS 'is at or below';
CREATE OPERATOR @extschema@.>> (
    FUNCTION = @extschema@.dnsname_above, LEFTARG = @extschema@.dnsname, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.<<),
    RESTRICT = matchingsel, JOIN = matchingjoinsel
);
COMMENT ON OPERATOR @extschema@.>> (@extschema@.dnsname, @extschema@.dnsname) IS 'contains';
CREATE OPERATOR @extschema@.>>= (
    FUNCTION = @extschema@.dnsname_above_eq, LEFTARG = @extschema@.dnsname, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.<<=),
    RESTRICT = matchingsel, JOIN = matchingjoinsel
);
COMMENT ON OPERATOR @extschema@.>>= (@extschema@.dnsname, @extschema@.dnsname) IS 'contains or is';

-- With text on the right they become the same by inlining.

CREATE FUNCTION @extschema@.dnsname_text_below(@extschema@.dnsname, text) RETURNS boolean
    AS 'SELECT $1 OPERATOR(@extschema@.<<) @extschema@.dnsname($2)' LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_text_below(@extschema@.dnsname, text) IS 'implementation of << operator';
CREATE FUNCTION @extschema@.dnsname_text_below_eq(@extschema@.dnsname, text) RETURNS boolean
    AS 'SELECT $1 OPERATOR(@extschema@.<<=) @extschema@.dnsname($2)' LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_text_below_eq(@extschema@.dnsname, text) IS 'implementation of <<= operator';
CREATE FUNCTION @extschema@.dnsname_text_above(@extschema@.dnsname, text) RETURNS boolean
    AS 'SELECT $1 OPERATOR(@extschema@.>>) @extschema@.dnsname($2)' LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_text_above(@extschema@.dnsname, text) IS 'implementation of >> operator';
CREATE FUNCTION @extschema@.dnsname_text_above_eq(@extschema@.dnsname, text) RETURNS boolean
    AS 'SELECT $1 OPERATOR(@extschema@.>>=) @extschema@.dnsname($2)' LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_text_above_eq(@extschema@.dnsname, text) IS 'implementation of >>= operator';
CREATE OPERATOR @extschema@.<< (
    FUNCTION = @extschema@.dnsname_text_below, LEFTARG = @extschema@.dnsname, RIGHTARG = text,
    RESTRICT = matchingsel, JOIN = matchingjoinsel
);
COMMENT ON OPERATOR @extschema@.<< (@extschema@.dnsname, text) IS 'is below';
CREATE OPERATOR @extschema@.<<= (
    FUNCTION = @extschema@.dnsname_text_below_eq, LEFTARG = @extschema@.dnsname, RIGHTARG = text,
    RESTRICT = matchingsel, JOIN = matchingjoinsel
);
COMMENT ON OPERATOR @extschema@.<<= (@extschema@.dnsname, text) IS 'is at or below';
CREATE OPERATOR @extschema@.>> (
    FUNCTION = @extschema@.dnsname_text_above, LEFTARG = @extschema@.dnsname, RIGHTARG = text,
    RESTRICT = matchingsel, JOIN = matchingjoinsel
);
COMMENT ON OPERATOR @extschema@.>> (@extschema@.dnsname, text) IS 'contains';
CREATE OPERATOR @extschema@.>>= (
    FUNCTION = @extschema@.dnsname_text_above_eq, LEFTARG = @extschema@.dnsname, RIGHTARG = text,
    RESTRICT = matchingsel, JOIN = matchingjoinsel
);
COMMENT ON OPERATOR @extschema@.>>= (@extschema@.dnsname, text) IS 'contains or is';

-- dnsname with text, so that the types that drivers give their parameters do not keep an index from being used.
-- What is no name is equal to nothing and sorts last.

CREATE FUNCTION @extschema@.dnsname_text_eq(@extschema@.dnsname, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_text_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_text_eq(@extschema@.dnsname, text) IS 'implementation of = operator';
CREATE FUNCTION @extschema@.dnsname_text_ne(@extschema@.dnsname, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_text_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_text_ne(@extschema@.dnsname, text) IS 'implementation of <> operator';
CREATE FUNCTION @extschema@.dnsname_text_lt(@extschema@.dnsname, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_text_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_text_lt(@extschema@.dnsname, text) IS 'implementation of < operator';
CREATE FUNCTION @extschema@.dnsname_text_le(@extschema@.dnsname, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_text_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_text_le(@extschema@.dnsname, text) IS 'implementation of <= operator';
CREATE FUNCTION @extschema@.dnsname_text_gt(@extschema@.dnsname, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_text_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_text_gt(@extschema@.dnsname, text) IS 'implementation of > operator';
CREATE FUNCTION @extschema@.dnsname_text_ge(@extschema@.dnsname, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_text_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_text_ge(@extschema@.dnsname, text) IS 'implementation of >= operator';
CREATE FUNCTION @extschema@.dnsname_text_cmp(@extschema@.dnsname, text) RETURNS integer
    AS 'MODULE_PATHNAME', 'dnsname_text_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_text_cmp(@extschema@.dnsname, text) IS 'less-equal-greater';
CREATE FUNCTION @extschema@.text_dnsname_eq(text, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'text_dnsname_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.text_dnsname_eq(text, @extschema@.dnsname) IS 'implementation of = operator';
CREATE FUNCTION @extschema@.text_dnsname_ne(text, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'text_dnsname_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.text_dnsname_ne(text, @extschema@.dnsname) IS 'implementation of <> operator';
CREATE FUNCTION @extschema@.text_dnsname_lt(text, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'text_dnsname_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.text_dnsname_lt(text, @extschema@.dnsname) IS 'implementation of < operator';
CREATE FUNCTION @extschema@.text_dnsname_le(text, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'text_dnsname_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.text_dnsname_le(text, @extschema@.dnsname) IS 'implementation of <= operator';
CREATE FUNCTION @extschema@.text_dnsname_gt(text, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'text_dnsname_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.text_dnsname_gt(text, @extschema@.dnsname) IS 'implementation of > operator';
CREATE FUNCTION @extschema@.text_dnsname_ge(text, @extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'text_dnsname_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.text_dnsname_ge(text, @extschema@.dnsname) IS 'implementation of >= operator';
CREATE FUNCTION @extschema@.text_dnsname_cmp(text, @extschema@.dnsname) RETURNS integer
    AS 'MODULE_PATHNAME', 'text_dnsname_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.text_dnsname_cmp(text, @extschema@.dnsname) IS 'less-equal-greater';
CREATE FUNCTION @extschema@.dnsname_text_text_cmp(text, text) RETURNS integer
    AS 'MODULE_PATHNAME', 'dnsname_text_text_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_text_text_cmp(text, text) IS 'less-equal-greater of two texts, read as dnsname';
CREATE FUNCTION @extschema@.dnsname_text_text_eq(text, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_text_text_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_text_text_eq(text, text) IS 'implementation of =@= operator';
CREATE FUNCTION @extschema@.dnsname_text_hash(text) RETURNS integer
    AS 'MODULE_PATHNAME', 'dnsname_text_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_text_hash(text) IS 'hash of a text, read as dnsname';
CREATE FUNCTION @extschema@.dnsname_text_hash_extended(text, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'dnsname_text_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_text_hash_extended(text, bigint) IS 'hash of a text, read as dnsname';

CREATE OPERATOR @extschema@.= (
    FUNCTION = @extschema@.dnsname_text_eq, LEFTARG = @extschema@.dnsname, RIGHTARG = text,
    COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
COMMENT ON OPERATOR @extschema@.= (@extschema@.dnsname, text) IS 'equal';
CREATE OPERATOR @extschema@.<> (
    FUNCTION = @extschema@.dnsname_text_ne, LEFTARG = @extschema@.dnsname, RIGHTARG = text,
    COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR @extschema@.<> (@extschema@.dnsname, text) IS 'not equal';
CREATE OPERATOR @extschema@.< (
    FUNCTION = @extschema@.dnsname_text_lt, LEFTARG = @extschema@.dnsname, RIGHTARG = text,
    COMMUTATOR = OPERATOR(@extschema@.>), NEGATOR = OPERATOR(@extschema@.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR @extschema@.< (@extschema@.dnsname, text) IS 'less than';
CREATE OPERATOR @extschema@.<= (
    FUNCTION = @extschema@.dnsname_text_le, LEFTARG = @extschema@.dnsname, RIGHTARG = text,
    COMMUTATOR = OPERATOR(@extschema@.>=), NEGATOR = OPERATOR(@extschema@.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR @extschema@.<= (@extschema@.dnsname, text) IS 'less than or equal';
CREATE OPERATOR @extschema@.> (
    FUNCTION = @extschema@.dnsname_text_gt, LEFTARG = @extschema@.dnsname, RIGHTARG = text,
    COMMUTATOR = OPERATOR(@extschema@.<), NEGATOR = OPERATOR(@extschema@.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR @extschema@.> (@extschema@.dnsname, text) IS 'greater than';
CREATE OPERATOR @extschema@.>= (
    FUNCTION = @extschema@.dnsname_text_ge, LEFTARG = @extschema@.dnsname, RIGHTARG = text,
    COMMUTATOR = OPERATOR(@extschema@.<=), NEGATOR = OPERATOR(@extschema@.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR @extschema@.>= (@extschema@.dnsname, text) IS 'greater than or equal';
CREATE OPERATOR @extschema@.= (
    FUNCTION = @extschema@.text_dnsname_eq, LEFTARG = text, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
COMMENT ON OPERATOR @extschema@.= (text, @extschema@.dnsname) IS 'equal';
CREATE OPERATOR @extschema@.<> (
    FUNCTION = @extschema@.text_dnsname_ne, LEFTARG = text, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR @extschema@.<> (text, @extschema@.dnsname) IS 'not equal';
CREATE OPERATOR @extschema@.< (
    FUNCTION = @extschema@.text_dnsname_lt, LEFTARG = text, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.>), NEGATOR = OPERATOR(@extschema@.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR @extschema@.< (text, @extschema@.dnsname) IS 'less than';
CREATE OPERATOR @extschema@.<= (
    FUNCTION = @extschema@.text_dnsname_le, LEFTARG = text, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.>=), NEGATOR = OPERATOR(@extschema@.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR @extschema@.<= (text, @extschema@.dnsname) IS 'less than or equal';
CREATE OPERATOR @extschema@.> (
    FUNCTION = @extschema@.text_dnsname_gt, LEFTARG = text, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.<), NEGATOR = OPERATOR(@extschema@.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR @extschema@.> (text, @extschema@.dnsname) IS 'greater than';
CREATE OPERATOR @extschema@.>= (
    FUNCTION = @extschema@.text_dnsname_ge, LEFTARG = text, RIGHTARG = @extschema@.dnsname,
    COMMUTATOR = OPERATOR(@extschema@.<=), NEGATOR = OPERATOR(@extschema@.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR @extschema@.>= (text, @extschema@.dnsname) IS 'greater than or equal';

-- The functions for two texts serve arrays and hash tables of text, =@= the hash table that `name NOT IN (SELECT ...)` makes.
-- For two texts = is text's own, and means something else; so do <, <=, >= and >, which amvalidate() misses in the btree family.
CREATE OPERATOR @extschema@.=@= (
    FUNCTION = @extschema@.dnsname_text_text_eq, LEFTARG = text, RIGHTARG = text,
    COMMUTATOR = OPERATOR(@extschema@.=@=),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
COMMENT ON OPERATOR @extschema@.=@= (text, text) IS 'the same name, for two texts';
ALTER OPERATOR FAMILY @extschema@.dnsname_ops USING btree ADD
    OPERATOR 1 @extschema@.< (@extschema@.dnsname, text),
    OPERATOR 2 @extschema@.<= (@extschema@.dnsname, text),
    OPERATOR 3 @extschema@.= (@extschema@.dnsname, text),
    OPERATOR 4 @extschema@.>= (@extschema@.dnsname, text),
    OPERATOR 5 @extschema@.> (@extschema@.dnsname, text),
    FUNCTION 1 (@extschema@.dnsname, text) @extschema@.dnsname_text_cmp(@extschema@.dnsname, text),
    OPERATOR 1 @extschema@.< (text, @extschema@.dnsname),
    OPERATOR 2 @extschema@.<= (text, @extschema@.dnsname),
    OPERATOR 3 @extschema@.= (text, @extschema@.dnsname),
    OPERATOR 4 @extschema@.>= (text, @extschema@.dnsname),
    OPERATOR 5 @extschema@.> (text, @extschema@.dnsname),
    FUNCTION 1 (text, @extschema@.dnsname) @extschema@.text_dnsname_cmp(text, @extschema@.dnsname),
    FUNCTION 1 (text, text) @extschema@.dnsname_text_text_cmp(text, text);
ALTER OPERATOR FAMILY @extschema@.dnsname_ops USING hash ADD
    OPERATOR 1 @extschema@.= (@extschema@.dnsname, text),
    OPERATOR 1 @extschema@.= (text, @extschema@.dnsname),
    OPERATOR 1 @extschema@.=@= (text, text),
    FUNCTION 1 (text, text) @extschema@.dnsname_text_hash(text),
    FUNCTION 2 (text, text) @extschema@.dnsname_text_hash_extended(text, bigint);

-- LIKE and ILIKE see what the type prints.

CREATE FUNCTION @extschema@.dnsname_like(@extschema@.dnsname, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_like' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_like(@extschema@.dnsname, text) IS 'implementation of ~~ operator';
CREATE OPERATOR @extschema@.~~ (
    FUNCTION = @extschema@.dnsname_like, LEFTARG = @extschema@.dnsname, RIGHTARG = text,
    NEGATOR = OPERATOR(@extschema@.!~~),
    RESTRICT = likesel, JOIN = likejoinsel
);
COMMENT ON OPERATOR @extschema@.~~ (@extschema@.dnsname, text) IS 'matches LIKE expression';
CREATE FUNCTION @extschema@.dnsname_not_like(@extschema@.dnsname, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_not_like' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_not_like(@extschema@.dnsname, text) IS 'implementation of !~~ operator';
CREATE OPERATOR @extschema@.!~~ (
    FUNCTION = @extschema@.dnsname_not_like, LEFTARG = @extschema@.dnsname, RIGHTARG = text,
    NEGATOR = OPERATOR(@extschema@.~~),
    RESTRICT = nlikesel, JOIN = nlikejoinsel
);
COMMENT ON OPERATOR @extschema@.!~~ (@extschema@.dnsname, text) IS 'does not match LIKE expression';
CREATE FUNCTION @extschema@.dnsname_ilike(@extschema@.dnsname, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_ilike' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_ilike(@extschema@.dnsname, text) IS 'implementation of ~~* operator';
CREATE OPERATOR @extschema@.~~* (
    FUNCTION = @extschema@.dnsname_ilike, LEFTARG = @extschema@.dnsname, RIGHTARG = text,
    NEGATOR = OPERATOR(@extschema@.!~~*),
    RESTRICT = iclikesel, JOIN = iclikejoinsel
);
COMMENT ON OPERATOR @extschema@.~~* (@extschema@.dnsname, text) IS 'matches LIKE expression, case-insensitive';
CREATE FUNCTION @extschema@.dnsname_not_ilike(@extschema@.dnsname, text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_not_ilike' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_not_ilike(@extschema@.dnsname, text) IS 'implementation of !~~* operator';
CREATE OPERATOR @extschema@.!~~* (
    FUNCTION = @extschema@.dnsname_not_ilike, LEFTARG = @extschema@.dnsname, RIGHTARG = text,
    NEGATOR = OPERATOR(@extschema@.~~*),
    RESTRICT = icnlikesel, JOIN = icnlikejoinsel
);
COMMENT ON OPERATOR @extschema@.!~~* (@extschema@.dnsname, text) IS 'does not match LIKE expression, case-insensitive';

CREATE FUNCTION @extschema@.dnsname_concat_text(@extschema@.dnsname, text) RETURNS text
    AS 'MODULE_PATHNAME', 'dnsname_concat_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.dnsname_concat_text(@extschema@.dnsname, text) IS 'implementation of || operator';
CREATE FUNCTION @extschema@.text_concat_dnsname(text, @extschema@.dnsname) RETURNS text
    AS 'MODULE_PATHNAME', 'text_concat_dnsname' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.text_concat_dnsname(text, @extschema@.dnsname) IS 'implementation of || operator';
CREATE OPERATOR @extschema@.|| (FUNCTION = @extschema@.dnsname_concat_text, LEFTARG = @extschema@.dnsname, RIGHTARG = text);
COMMENT ON OPERATOR @extschema@.|| (@extschema@.dnsname, text) IS 'concatenate, as text';
CREATE OPERATOR @extschema@.|| (FUNCTION = @extschema@.text_concat_dnsname, LEFTARG = text, RIGHTARG = @extschema@.dnsname);
COMMENT ON OPERATOR @extschema@.|| (text, @extschema@.dnsname) IS 'concatenate, as text';

-- Functions

CREATE FUNCTION @extschema@.parent(@extschema@.dnsname) RETURNS @extschema@.dnsname
    AS 'MODULE_PATHNAME', 'dnsname_parent' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.parent(@extschema@.dnsname) IS 'the name without its leftmost label; null for the root';
CREATE FUNCTION @extschema@.labels(@extschema@.dnsname) RETURNS integer
    AS 'MODULE_PATHNAME', 'dnsname_labels' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.labels(@extschema@.dnsname) IS 'how many labels, the root not counted';
CREATE FUNCTION @extschema@.is_wildcard(@extschema@.dnsname) RETURNS boolean
    AS 'MODULE_PATHNAME', 'dnsname_is_wildcard' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.is_wildcard(@extschema@.dnsname) IS 'is the leftmost label an asterisk (RFC 4592)?';
CREATE FUNCTION @extschema@.reverse(inet) RETURNS @extschema@.dnsname
    AS 'MODULE_PATHNAME', 'dnsname_reverse_inet' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.reverse(inet) IS 'the name under in-addr.arpa or ip6.arpa of an address';
CREATE FUNCTION @extschema@.reverse(cidr) RETURNS @extschema@.dnsname
    AS 'MODULE_PATHNAME', 'dnsname_reverse_cidr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.reverse(cidr) IS 'the name under in-addr.arpa or ip6.arpa of a network that ends between two labels';
