using System.CommandLine;
using System.Runtime.CompilerServices;
using Veredus.Commands;
using Veredus.Demo;

namespace Veredus.CommandLine;

/// <summary>The command tree (cli.md 3), as far as this version goes: what is not here does not exist.</summary>
internal static class CommandTree
{
    private static readonly ConditionalWeakTable<Command, string> Examples = [];

    public static RootCommand Build(CliHost host)
    {
        var root = new RootCommand(
            """
            Veredus: a mail transfer agent that runs as a cluster.

            First steps:
              veredus demo                 a cluster on this machine, to look at and to break
              veredus status               how the node does
              veredus queue list           what waits, and where to
              veredus console              ask the node anything ('help' lists the commands)
              veredus doctor               is this host ready for it?
            """)
        {
            GlobalOptions.Json,
            GlobalOptions.Color,
            GlobalOptions.Socket,
            GlobalOptions.Manager,
            GlobalOptions.Context,
            GlobalOptions.TokenFile,
            StatusCommand.Build(host),
            CheckCommand.Build(host),
            VipCommand.Build(host),
            ExplainCommand.Build(host),
            ExplainCommand.BuildWhatIf(host),
            EventsCommand.Build(host),
            ClusterCommand.Build(host),
            QueueCommand.Build(host),
            MessageCommand.Build(host),
            ConfigCommand.Build(host),
            ConfigServerCommands.BuildClient(host),
            ConfigServerCommands.BuildServer(host),
            LogCommand.Build(host),
            JournalCommand.Build(host),
            JournalCommand.BuildClassic(host),
            ConsoleCommand.Build(host),
            RunCommand.Build(host),
            NodeCommand.Build(host),
            ManagerCommand.Build(host),
            SetupCommand.Build(host),
            ServiceCommand.Build(host),
            DemoCommand.Build(host),
            ChaosCommand.Build(host),
            UserCommand.Build(host),
            ContextCommand.Build(host),
            LinksCommand.Build(host),
            DoctorCommand.Build(host),
            CompletionCommand.Build(host),
            VersionCommand.Build(host),
        };
        return root;
    }

    /// <summary>Puts the examples into the help of the command that help was asked for; lists of commands stay short.</summary>
    public static void ShowExamples(Command command)
    {
        if (Examples.TryGetValue(command, out var examples))
            command.Description = $"{command.Description}\n\nExamples:\n{examples}";
    }

    /// <summary>The words that lead to a command.</summary>
    public static string PathOf(Command command)
    {
        var words = new List<string>();
        for (Symbol? at = command; at is Command; at = at.Parents.FirstOrDefault())
            words.Insert(0, at is RootCommand ? "veredus" : at.Name);
        return string.Join(' ', words);
    }

    /// <summary>A command that runs an action; its examples stand in its help.</summary>
    public static Command Leaf(CliHost host, string name, string summary, string[] examples, Func<Call, CancellationToken, Task<int>> run, params Symbol[] symbols)
    {
        var command = new Command(name, summary);
        Examples.Add(command, string.Join('\n', examples.Select(example => $"  {example}")));
        foreach (var symbol in symbols)
        {
            if (symbol is Argument argument)
                command.Arguments.Add(argument);
            else if (symbol is Option option)
                command.Options.Add(option);
        }
        command.SetAction((parse, cancellationToken) => run(new(host, parse), cancellationToken));
        return command;
    }
}
