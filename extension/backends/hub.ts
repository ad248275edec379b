// The backend `hub`: what one of its devices sends, all others receive, as on a shared wire.
import type { NetworkBackend, NetworkLink } from './network';

export class Hub {
  private readonly links: NetworkLink[] = [];

  join(own: NetworkLink): NetworkBackend {
    this.links.push(own);
    return {
      send: (frame) => {
        for (const link of this.links) if (link !== own) link.deliver(frame);
      },
      isBusy: false,
      close: () => undefined,
    };
  }
}
