export const startProxy = null
