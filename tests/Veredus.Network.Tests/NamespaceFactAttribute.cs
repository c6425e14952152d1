namespace Veredus.Network.Tests;

/// <summary>A test on real interfaces in a network namespace of its own. Skipped, with the reason, where none can be made.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NamespaceFactAttribute : FactAttribute
{
    public NamespaceFactAttribute() => Skip = NetworkNamespace.WhyNot();
}

internal static class TestNamespace
{
    private static int s_count;

    /// <summary>A namespace with one interface, <c>eth0</c>, that is up and leads nowhere.</summary>
    public static async Task<NetworkNamespace> WithInterfaceAsync()
    {
        var made = await EmptyAsync();
        await made.ConnectAsync("eth0", made, "stub", CancellationToken.None);
        return made;
    }

    public static Task<NetworkNamespace> EmptyAsync() =>
        NetworkNamespace.CreateAsync($"vt{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}", CancellationToken.None);

    /// <summary>Ends a hang; says what never came.</summary>
    public static Task<T> Within<T>(this Task<T> task, string what) => task.WaitAsync(TimeSpan.FromSeconds(20)).ContinueWith(
        done => done.Exception?.InnerException is TimeoutException ? throw new TimeoutException($"Never came: {what}.") : done.GetAwaiter().GetResult(),
        CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
}
