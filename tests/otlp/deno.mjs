// Where scripts/setup put Deno.

import { join } from 'node:path'

export const denoProgram = (modules) => join(modules, 'node_modules', '@deno', 'linux-x64-glibc', 'deno')
