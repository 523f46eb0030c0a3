#pragma once

namespace firn {

// Whether the seeded defect with this number is compiled in. The defects are what the tests are
// tested with (tests/mutants.txt, `scripts/test --mutants`); the product has none, and there this
// is a constant that the compiler removes.
//
// `cmake -DFIRN_MUTANT=<n>` chooses one. Only mutant.cc is compiled anew when the number changes.
#ifdef FIRN_HAS_MUTANTS
bool mutant(int number);
#else
constexpr bool mutant(int) { return false; }
#endif

}  // namespace firn
