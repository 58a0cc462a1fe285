-- Neovim 0.11: put this file into ~/.config/nvim/lsp/, and vim.lsp.enable("archdsl") into init.lua.
return {
  cmd = { "archdsl", "lsp" },
  filetypes = { "yaml" },
  root_markers = { ".git" },
  -- Files that are configs though they do not say so in their first comment.
  settings = { archdsl = { files = { "configs/**/*.yaml" } } },
  on_attach = function(_, buffer)
    vim.lsp.inlay_hint.enable(true, { bufnr = buffer })
    vim.api.nvim_create_autocmd({ "BufEnter", "InsertLeave", "BufWritePost" }, {
      buffer = buffer,
      callback = function()
        vim.lsp.codelens.refresh({ bufnr = buffer })
      end,
    })
  end,
}
