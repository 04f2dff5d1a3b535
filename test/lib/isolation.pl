# The isolation tests; see Regress.pm.
use Regress;
Regress::run('isolation');
