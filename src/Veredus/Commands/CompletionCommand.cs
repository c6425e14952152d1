using System.CommandLine;
using Veredus.CommandLine;

namespace Veredus.Commands;

/// <summary>Completion for shells. The words come from the program itself, which knows its own command tree.</summary>
internal static class CompletionCommand
{
    private static readonly Argument<string> Shell = new("SHELL") { Description = "bash, zsh or fish" };

    public static Command Build(CliHost host)
    {
        Shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        return CommandTree.Leaf(host, "completion", "Prints a completion script", ["veredus completion bash > /etc/bash_completion.d/veredus", "source <(veredus completion zsh)"], (call, _) =>
        {
            host.Out.Write(call.Parse.GetValue(Shell) switch
            {
                "zsh" => Zsh,
                "fish" => Fish,
                _ => Bash,
            });
            return Task.FromResult(ExitCodes.Done);
        }, Shell);
    }

    private const string Bash =
        """
        _veredus() {
          local IFS=$'\n'
          COMPREPLY=($(compgen -W "$(veredus "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _veredus veredus

        """;

    private const string Zsh =
        """
        _veredus() {
          local -a words_found
          words_found=("${(@f)$(veredus "[suggest:$#BUFFER]" "$BUFFER" 2>/dev/null)}")
          compadd -a words_found
        }
        compdef _veredus veredus

        """;

    private const string Fish =
        """
        complete -c veredus -f -a '(veredus "[suggest:"(string length -- (commandline -cp))"]" (commandline -cp) 2>/dev/null)'

        """;
}
