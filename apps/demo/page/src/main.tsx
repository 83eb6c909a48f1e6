import { render } from 'preact'

import { App } from './app.tsx'
import { startChat } from './chat.ts'

const root = document.getElementById('app')
if (root === null) throw new Error('index.html has no #app')
render(<App chat={startChat(location.origin)} />, root)
