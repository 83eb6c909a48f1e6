// #region node
import { connect } from '@pidmesh/client'
import { WebSocket } from 'ws'

const client = connect({ urls: 'ws://127.0.0.1:8081/ws', WebSocket })
// #endregion

client.close()
