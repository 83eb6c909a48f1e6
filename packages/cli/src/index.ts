export { createAuthority, createCertificate, type KeyPair, type Validity } from './certificates.ts'
