import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import './styles.css'
import { TagList } from './tag-list.tsx'

const root = document.getElementById('root')
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <TagList />
    </StrictMode>,
  )
}
