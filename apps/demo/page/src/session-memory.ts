// What a reload of this tab must not forget: the name that it holds. Without it, the old session of a reloaded tab would look like somebody else.

const KEY = 'pidmesh-demo.held-name'

export function heldName(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? undefined
  } catch {
    return undefined
  }
}

export function holdName(user: string): void {
  try {
    sessionStorage.setItem(KEY, user)
  } catch {
    // Storage may be forbidden; then a reload is a first login.
  }
}

export function forgetHeld(): void {
  try {
    sessionStorage.removeItem(KEY)
  } catch {
    // As above.
  }
}
