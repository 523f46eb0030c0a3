#include "base/mutant.h"

namespace firn {

#ifdef FIRN_HAS_MUTANTS
bool mutant(int number) { return number == FIRN_MUTANT; }
#endif

}  // namespace firn
