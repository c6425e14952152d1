using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Output;

namespace Veredus.Commands;

/// <summary>A console command on many nodes: <c>veredus run --on all version</c> (cli.md 8).</summary>
internal static class RunCommand
{
    private static readonly Option<string> On = new("--on") { Description = "all, a subcluster, or nodes (mta1,mta2)", HelpName = "WHERE", Required = true };
    private static readonly Option<double> Wait = new("--wait") { Description = "How long answers are awaited, in seconds", HelpName = "S", DefaultValueFactory = _ => 10 };
    private static readonly Argument<string[]> Words = new("COMMAND") { Description = "As on the node's console; 'veredus console help' lists them", Arity = ArgumentArity.OneOrMore };

    public static Command Build(CliHost host) => CommandTree.Leaf(host, "run", "Gives a console command to nodes, all at once, and shows their answers",
        ["veredus run --on all version", "veredus run --on mta1,mta2 --wait 30 --json json summary", "veredus run --on west config reload"], RunAsync, On, Wait, Words);

    private static async Task<int> RunAsync(Call call, CancellationToken cancellationToken)
    {
        var command = ConsoleCommand.Line(call.Parse.GetValue(Words)!);
        var wait = call.Parse.GetValue(Wait);
        if (!(wait > 0 && wait <= 3600))
            throw new CliException(ExitCodes.Usage, "--wait takes seconds, more than 0 and at most 3600.");
        var (client, place) = await call.ConnectToClusterAsync(cancellationToken);
        await using var connection = client;
        if (call.Managers.Context is { } context && call.Error.IsTerminal)
            call.Error.Line($"context {context.Name}{(context.IsProduction ? " (production)" : "")}, {place}", Tone.Dim);
        var line = string.Create(CultureInfo.InvariantCulture, $"delegate --wait {wait} --on {CommandWords.Quote(call.Parse.GetValue(On)!)} {command}");
        try
        {
            var reply = await client.SendAsync(call.IsJson ? $"json {line}" : line, cancellationToken);
            if (call.IsJson && reply.Lines.Count > 0)
            {
                using var answers = JsonDocument.Parse(reply.Body);
                call.Host.Out.WriteLine(Envelope.Wrap("veredus.run/1", call.Now, client.HostName, reply.Body, [.. answers.RootElement.GetProperty("missing").EnumerateArray().Select(node => node.GetString()!)]));
                return ExitCodes.Of(reply.Code);
            }
            foreach (var body in reply.Lines)
                call.Out.Line(body);
            return reply.IsOk ? ExitCodes.Done : throw new CliException(ExitCodes.Of(reply.Code), reply.Text);
        }
        catch (ControlException exception)
        {
            throw new CliException(ExitCodes.Unreachable, exception.Message);
        }
    }
}
