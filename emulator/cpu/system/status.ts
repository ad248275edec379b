// Bits and codes of the privileged architecture that generated code and the CSR table share. [RISC-V priv. 3.1 and 10.1]

export const privilege = { U: 0, S: 1, M: 3 } as const;

/** Fields of mstatus by their lowest bit or as a mask. [RISC-V priv. 3.1.6] */
export const mstatus = {
  SIE: 1n << 1n,
  MIE: 1n << 3n,
  SPIE: 1n << 5n,
  MPIE: 1n << 7n,
  SPP: 1n << 8n,
  MPP: 3n << 11n,
  FS: 3n << 13n,
  MPRV: 1n << 17n,
  SUM: 1n << 18n,
  MXR: 1n << 19n,
  TVM: 1n << 20n,
  TW: 1n << 21n,
  TSR: 1n << 22n,
  UXL: 2n << 32n,
  SXL: 2n << 34n,
  SD: 1n << 63n,
} as const;

/** Translation schemes that satp.MODE selects. [RISC-V priv. 10.1.11] */
export const satpMode = { bare: 0n, sv39: 8n, sv48: 9n, sv57: 10n } as const;

/** Fields of menvcfg and senvcfg. [RISC-V priv. 3.1.18, 10.1.10] */
export const environmentConfiguration = {
  FIOM: 1n,
  CBIE: 3n << 4n,
  CBCFE: 1n << 6n,
  CBZE: 1n << 7n,
  /** In menvcfg only. */
  PBMTE: 1n << 62n,
  STCE: 1n << 63n,
} as const;

/** Exception codes. [RISC-V priv. 3.1.15] */
export const cause = {
  instructionAccessFault: 1,
  illegalInstruction: 2,
  breakpoint: 3,
  loadAddressMisaligned: 4,
  loadAccessFault: 5,
  storeAddressMisaligned: 6,
  storeAccessFault: 7,
  environmentCallFromU: 8,
  instructionPageFault: 12,
  loadPageFault: 13,
  storePageFault: 15,
} as const;

/** What an access wants, as generated code passes it. */
export const accessKind = { load: 0, store: 1, fetch: 2 } as const;

/** How a helper ends an instruction. */
export const outcome = {
  done: 0,
  /** A trap was taken: execution goes on at the hart's pc. */
  trapped: 1,
  /** The environment refused: the instruction did not happen. */
  refused: 2,
  /** The trap's handler cannot be fetched: as `refused`. */
  lost: 3,
} as const;

/** What `execute` returns besides `outcome.refused` and `outcome.lost`. */
export const exitCode = { budget: 0, refused: 2, lost: 3, breakpoint: 4, waiting: 5 } as const;
