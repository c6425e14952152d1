using System.CommandLine;
using System.Globalization;
using Veredus.CommandLine;

namespace Veredus.Demo;

/// <summary>The two halves of a command that needs a cluster: outside, namespaces and a directory are made and removed; inside, the work is done.</summary>
internal static class DemoSession
{
    public static readonly Option<string?> IsolationWanted = Isolations();

    /// <summary>Runs <paramref name="inside"/> in namespaces of its own, or <paramref name="loopback"/> where there can be none.</summary>
    /// <param name="what">What it is, for <c>demo status</c>.</param>
    /// <param name="length">It ends by itself after this time.</param>
    /// <param name="further">Options for the half inside, behind those that were given.</param>
    public static async Task<int> RunAsync(
        Call call, string what, TimeSpan length, Func<DemoDirectory, DemoState, CancellationToken, Task<int>> inside, Func<Isolation, CancellationToken, Task<int>> loopback, CancellationToken cancellationToken, params string[] further)
    {
        if (call.Host.Environment(Launcher.DirectoryVariable) is { Length: > 0 } path)
            return await InsideAsync(call, DemoDirectory.Of(path), inside, cancellationToken);
        var isolation = await ChooseAsync(call, cancellationToken);
        if (isolation.Kind == IsolationKind.Loopback)
        {
            Tell(call, $"demo   {isolation}");
            return await loopback(isolation, cancellationToken);
        }
        var directory = DemoDirectory.Create();
        try
        {
            var state = new DemoState(directory.Id, isolation.Name, what, Environment.ProcessId, DemoDirectory.StartOf(Environment.ProcessId), call.Now, call.Now + length);
            directory.Write(state);
            Tell(call, $"demo {directory.Id}   {isolation}   stops by {(call.Now + length).ToLocalTime().ToString("HH:mm", CultureInfo.InvariantCulture)} (--for)");
            return await Launcher.RunAsync(directory, isolation.Kind, [.. call.Parse.Tokens.Select(token => token.Value), .. further], cancellationToken);
        }
        finally
        {
            directory.Delete();
        }
    }

    private static async Task<int> InsideAsync(
        Call call, DemoDirectory directory, Func<DemoDirectory, DemoState, CancellationToken, Task<int>> inside, CancellationToken cancellationToken)
    {
        var state = directory.Read() ?? throw new CliException(ExitCodes.Failed, $"{directory.Path} is not the directory of a demo.", $"Unset {Launcher.DirectoryVariable}.");
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        ending.CancelAfter(state.Stops - call.Now is { Ticks: > 0 } left ? left : TimeSpan.FromMilliseconds(1));
        try
        {
            return await inside(directory, state, ending.Token);
        }
        catch (IOException e)
        {
            throw new CliException(ExitCodes.Failed, e.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CliException(ExitCodes.Deadline, "The time for the demo (--for) is over before its end.", "Give it more with --for.");
        }
    }

    /// <summary>A line about the run; on standard error where standard output is for a machine.</summary>
    public static void Tell(Call call, string text)
    {
        if (call.IsJson)
            call.Error.Line(text);
        else
            call.Out.Line(text);
    }

    private static async Task<Isolation> ChooseAsync(Call call, CancellationToken cancellationToken)
    {
        var wanted = call.Parse.GetValue(IsolationWanted) is { } word ? Enum.Parse<IsolationKind>(word, ignoreCase: true) : (IsolationKind?)null;
        try
        {
            return await Isolation.ChooseAsync(wanted, cancellationToken);
        }
        catch (IOException e)
        {
            throw new CliException(ExitCodes.Failed, $"This isolation does not work here: {e.Message}", "Without --isolation the demo takes the best that works.");
        }
    }

    private static Option<string?> Isolations()
    {
        var option = new Option<string?>("--isolation") { Description = "netns, userns or loopback; otherwise the best that works here", HelpName = "KIND" };
        option.AcceptOnlyFromAmong("netns", "userns", "loopback");
        return option;
    }
}
