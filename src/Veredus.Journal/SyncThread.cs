namespace Veredus.Journal;

/// <summary>
/// The thread on which journals are synced in the background. A sync waits for the disk, often for tens of milliseconds; on the thread pool it would hold one of as few threads
/// as the machine has processors, and with it the work that waits for one.
/// </summary>
internal static class SyncThread
{
    private static readonly Queue<Action> s_due = new();
    private static bool s_isRunning;

    /// <summary>Has something done there, in the order of the calls; returns at once.</summary>
    /// <param name="sync">Must not throw.</param>
    public static void Enqueue(Action sync)
    {
        lock (s_due)
        {
            s_due.Enqueue(sync);
            Monitor.Pulse(s_due);
            if (s_isRunning)
                return;
            s_isRunning = true;
            new Thread(Run) { IsBackground = true, Name = "journal-sync" }.Start();
        }
    }

    private static void Run()
    {
        while (true)
        {
            Action sync;
            lock (s_due)
            {
                while (s_due.Count == 0)
                    Monitor.Wait(s_due);
                sync = s_due.Dequeue();
            }
            sync();
        }
    }
}
