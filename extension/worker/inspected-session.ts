// A session together with the pictures of it.
import type { VirtioEvent } from '../../emulator/record/events';
import type { InspectorModel } from '../../webview/model/inspector';
import { projectInspector } from '../views/projection';
import type { InspectionRequest, InspectionSource } from './inspection-source';
import { Session } from './session';

export class InspectedSession extends Session implements InspectionSource {
  private sequence = 0;

  inspect(request: InspectionRequest): Promise<InspectorModel> {
    return Promise.resolve(projectInspector(this, request, ++this.sequence));
  }

  events(from: number, count: number): Promise<readonly VirtioEvent[]> {
    return Promise.resolve(this.machine?.monitor.events.slice(from, count) ?? []);
  }
}
