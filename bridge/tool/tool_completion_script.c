/* SPDX-License-Identifier: Apache-2.0
 *
 * The shells' sides of completion. They run the program that is being typed,
 * so that another version of it is asked for its own words. */
#include "tool_completion.h"

#include <stddef.h>
#include <string.h>

static const char bash[] =
    "# bash completion for vulnbus: what fits is asked of vulnbus itself.\n"
    "_vulnbus() {\n"
    "\tlocal word=${COMP_WORDS[COMP_CWORD]} line\n"
    "\tCOMPREPLY=()\n"
    "\t[ \"$word\" != = ] || word=\n"
    "\twhile IFS= read -r line; do\n"
    "\t\tif [ \"$line\" = :files ]; then\n"
    "\t\t\tcompopt -o filenames 2>/dev/null\n"
    "\t\t\tmapfile -t COMPREPLY < <(compgen -f -- \"${word#*=}\")\n"
    "\t\telse\n"
    "\t\t\tCOMPREPLY+=(\"${line%%$'\\t'*}\")\n"
    "\t\tfi\n"
    "\tdone < <(\"${COMP_WORDS[0]}\" completion words -- \\\n"
    "\t\t\"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _vulnbus vulnbus\n";

static const char zsh[] =
    "#compdef vulnbus\n"
    "# zsh completion for vulnbus: what fits is asked of vulnbus itself.\n"
    "_vulnbus() {\n"
    "\tlocal line tab=$'\\t'\n"
    "\tlocal -a asked found\n"
    "\tasked=(\"${(@Q)words[2,CURRENT]}\")\n"
    "\tfor line in \"${(@f)$(${(Q)words[1]} completion words -- \\\n"
    "\t    \"${asked[@]}\" 2>/dev/null)}\"; do\n"
    "\t\tcase $line in\n"
    "\t\t:files) compset -P '*='; _files ;;\n"
    "\t\t?*) found+=(\"${${line%%$tab*}//:/\\\\:}:${line#*$tab}\") ;;\n"
    "\t\tesac\n"
    "\tdone\n"
    "\t(( $#found == 0 )) || _describe vulnbus found\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _vulnbus ]; then\n"
    "\t_vulnbus \"$@\"\n"
    "else\n"
    "\tcompdef _vulnbus vulnbus\n"
    "fi\n";

static const char fish[] =
    "# fish completion for vulnbus: what fits is asked of vulnbus itself.\n"
    "function __vulnbus_complete\n"
    "\tset -l asked (commandline -opc) \"$(commandline -ct)\"\n"
    "\tfor line in ($asked[1] completion words -- $asked[2..] 2>/dev/null)\n"
    "\t\tif test \"$line\" = :files\n"
    "\t\t\tset -l front (string match -r '^--[^=]*=' -- $asked[-1])\n"
    "\t\t\tset -l typed (string replace -r '^--[^=]*=' '' -- $asked[-1])\n"
    "\t\t\tfor file in (__fish_complete_path $typed)\n"
    "\t\t\t\techo \"$front$file\"\n"
    "\t\t\tend\n"
    "\t\telse\n"
    "\t\t\techo \"$line\"\n"
    "\t\tend\n"
    "\tend\n"
    "end\n"
    "complete -c vulnbus -f -a '(__vulnbus_complete)'\n";

const char *
completion_script(const char *shell)
{
	static const struct {
		const char *shell;
		const char *script;
	} scripts[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		if (strcmp(shell, scripts[i].shell) == 0)
			return scripts[i].script;
	return NULL;
}
