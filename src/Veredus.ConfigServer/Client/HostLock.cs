namespace Veredus.ConfigServer;

/// <summary>One eccfg at a time per host: held by an open file, so the kernel gives it back when the process ends, however it ends.</summary>
public sealed class HostLock : IDisposable
{
    private readonly FileStream _file;

    private HostLock(FileStream file) => _file = file;

    /// <exception cref="EccfgException">Another eccfg holds it.</exception>
    public static HostLock Take(string etc)
    {
        var directory = Path.Combine(etc, ".eccfg");
        try
        {
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            return new(new FileStream(Path.Combine(directory, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new EccfgException($"can't write to {directory}: {exception.Message}", exception);
        }
        catch (IOException exception)
        {
            throw new EccfgException($"another eccfg is at work on this host ({exception.Message})", exception);
        }
    }

    /// <summary>Takes it, after waiting for another eccfg to end.</summary>
    /// <exception cref="EccfgException">It has not ended in time.</exception>
    public static async Task<HostLock> TakeAsync(string etc, TimeSpan wait, TimeProvider time, CancellationToken cancellationToken)
    {
        for (var start = time.GetTimestamp(); ; await Task.Delay(TimeSpan.FromMilliseconds(100), time, cancellationToken))
        {
            try
            {
                return Take(etc);
            }
            catch (EccfgException exception) when (exception.InnerException is IOException && time.GetElapsedTime(start) < wait)
            {
                // A commit or pull by hand: it ends soon.
            }
        }
    }

    public void Dispose() => _file.Dispose();
}
