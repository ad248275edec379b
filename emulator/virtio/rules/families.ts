// The families of rules: what users switch on and off together (exception filters, tree groups, chapters of the rule page).

export const families = {
  handshake: { title: 'Handshake', meaning: 'The order of the initialisation steps and the device status bits.' },
  features: { title: 'Features', meaning: 'Which feature bits are read, accepted and confirmed.' },
  register: { title: 'Registers', meaning: 'Where, how wide and in which direction the transport is accessed.' },
  config: { title: 'Configuration space', meaning: 'Optional fields, field widths and consistent reads.' },
  'queue-setup': {
    title: 'Queue set-up',
    meaning: 'Size, addresses, alignment and state of a queue when it is enabled.',
  },
  ring: { title: 'Ring contents', meaning: 'Descriptor chains, indirect tables and indices as the device finds them.' },
  ownership: { title: 'Ownership', meaning: 'Changes to what the driver has handed to the device.' },
  consumption: {
    title: 'Consumption',
    meaning: 'How used buffers are taken back: which entries are loaded, and what of them is believed.',
  },
  notification: { title: 'Notification', meaning: 'Doorbells that are missing, unwanted or for the wrong queue.' },
  interrupt: { title: 'Interrupt', meaning: 'Reading and acknowledging the cause of an interrupt.' },
  waiting: {
    title: 'Waiting',
    meaning: 'Completions that nobody looks at, sleeps that nothing ends, queues that are left empty.',
  },
  block: { title: 'Block requests', meaning: 'Headers, lengths, sectors and status of block requests.' },
  console: { title: 'Console buffers', meaning: 'Direction of console buffers.' },
  entropy: { title: 'Entropy buffers', meaning: 'Direction of entropy buffers.' },
  administration: {
    title: 'Administration commands',
    meaning: 'Lists of commands, capabilities and resource objects on an administration virtqueue.',
  },
  net: { title: 'Network packets', meaning: 'Headers, lengths, receive buffers and commands of network devices.' },
  ordering: {
    title: 'Ordering',
    meaning: 'Fences, or what does as well, between accesses that the device must see in order.',
  },
  'device-fault': { title: 'Device model', meaning: 'Mistakes of a device model, never of the driver.' },
} as const satisfies Record<string, { readonly title: string; readonly meaning: string }>;

export type FamilyName = keyof typeof families;
export const familyNames = Object.keys(families) as readonly FamilyName[];
