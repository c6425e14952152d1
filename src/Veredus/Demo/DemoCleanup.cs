using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.CommandLine;
using Veredus.Output;

namespace Veredus.Demo;

/// <summary>A demo as <c>demo status</c> shows it.</summary>
internal sealed record DemoLine(string Id, string State, string Isolation, string What, int ProcessId, DateTimeOffset Started, DateTimeOffset Stops, string Directory);

/// <summary>What a demo left, or leaves: <c>demo down</c> and <c>demo status</c>.</summary>
internal static class DemoCleanup
{
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(30);

    public static Task<int> StatusAsync(Call call, CancellationToken cancellationToken)
    {
        var demos = DemoDirectory.All().Select(directory => (Directory: directory, State: directory.Read())).Where(demo => demo.State is not null)
            .Select(demo => new DemoLine(demo.State!.Id, DemoDirectory.IsAlive(demo.State) ? "running" : "ended, not removed", demo.State.Isolation, demo.State.What,
                demo.State.ProcessId, demo.State.Started, demo.State.Stops, demo.Directory.Path)).ToArray();
        if (call.IsJson)
        {
            call.Json("veredus.demo.status/1", "", JsonSerializer.Serialize(demos, CleanupJson.Default.DemoLineArray));
            return Task.FromResult(ExitCodes.Done);
        }
        if (demos.Length == 0)
        {
            call.Out.Line("no demo runs here");
            return Task.FromResult(ExitCodes.Done);
        }
        var table = new Table(new("ID"), new("STATE"), new("ISOLATION"), new("WHAT"), new("PROCESS", IsNumber: true), new("STOPS"), new("DIRECTORY"));
        foreach (var demo in demos)
            table.Add(demo.Id, demo.State, demo.Isolation, demo.What, demo.ProcessId.ToString(CultureInfo.InvariantCulture),
                demo.Stops.UtcDateTime.ToString("HH:mm'Z'", CultureInfo.InvariantCulture), demo.Directory);
        table.Print(call.Out, header: true);
        return Task.FromResult(ExitCodes.Done);
    }

    public static async Task<int> DownAsync(Call call, CancellationToken cancellationToken)
    {
        var wanted = DemoCommand.WantedId(call);
        var demos = DemoDirectory.All().Where(directory => wanted is null || directory.Id == wanted).ToArray();
        if (demos.Length == 0 && wanted is not null)
            throw new CliException(ExitCodes.NotFound, $"There is no demo '{wanted}' here.", "See: veredus demo status");
        foreach (var directory in demos)
        {
            var state = directory.Read();
            if (state is not null && DemoDirectory.IsAlive(state))
            {
                await EndAsync(state, cancellationToken);
                DemoSession.Tell(call, $"{directory.Id} ended");
            }
            // Its processes and networks went with its first process; the directory is all that can be left.
            directory.Delete();
            DemoSession.Tell(call, $"{directory.Id} removed");
        }
        if (call.IsJson)
            call.Json("veredus.demo.down/1", "", JsonSerializer.Serialize(demos.Select(directory => directory.Id).ToArray(), CleanupJson.Default.StringArray));
        else if (demos.Length == 0)
            call.Out.Line("nothing to remove");
        return ExitCodes.Done;
    }

    /// <summary>Asks the demo to end, and makes it when it doesn't.</summary>
    private static async Task EndAsync(DemoState state, CancellationToken cancellationToken)
    {
        _ = Launcher.Kill(state.ProcessId, (int)Signal.Terminate);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(EndLimit);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        try
        {
            while (DemoDirectory.IsAlive(state))
                await tick.WaitForNextTickAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            _ = Launcher.Kill(state.ProcessId, (int)Signal.Kill);
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(DemoLine[]))]
[JsonSerializable(typeof(string[]))]
internal sealed partial class CleanupJson : JsonSerializerContext;
