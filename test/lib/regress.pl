# The regression tests; see Regress.pm.
use Regress;
Regress::run('regress');
